"""The first look at data: a project file guessed from it, and a record as a view reads it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from distill.core.errors import UserError, unknown_name
from distill.core.files import write_text
from distill.core.guessing.starter import guess, preview, starter_yaml
from distill.core.intake.show import describe, find_record
from distill.core.manifest import require_whole
from distill.core.run_folder import RECORDS
from distill.core.view import View
from distill.pipeline.seeds import first_run
from distill.pipeline.settings import Settings
from distill.pipeline.tokenizer import default_tokenizer, tokenizer_of
from distill.report.finding import Finding


def init_project(files: Sequence[Path], out: Path, force: bool) -> Finding:
    """Write a commented project file, and find a record as each view reads it. Args: force: replace an existing one.

    Raises: UserError for files that cannot be used, and for a project file that is there already.
    """
    if out.exists() and not force:
        raise UserError("the project file is there already", where=str(out), do="choose another --out, or give --force")
    project = guess(list(files), out.parent, default_tokenizer(out.parent))
    shown = preview(project)  # also reads the file back before it is written
    write_text(out, starter_yaml(project))
    return Finding(None, [shown, f"wrote {out}: read its comments, then: distill audit --config {out}"])


def shown_record(settings: Settings, record_id: str, view_name: str) -> str:
    """One record as a view renders and cuts it. Raises: UserError for an unknown view or record."""
    views = settings.project.views
    if view_name not in views:
        raise unknown_name("view", view_name, views, "--view")
    view = View(view_name, views[view_name], tokenizer_of(settings, view_name))
    records = first_run(settings).run / RECORDS
    require_whole(records)
    return describe(find_record(records, record_id), view)
