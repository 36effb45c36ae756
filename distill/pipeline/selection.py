"""`distill select`: the selection of a run whose labels are made, without training anything."""

from __future__ import annotations

from pathlib import Path

from distill.core.errors import UserError
from distill.core.files import Json
from distill.core.manifest import read_whole
from distill.core.progress import Reporter
from distill.core.run_folder import SELECTION, or_one_seed
from distill.core.selection.store import SELECTION_FILE
from distill.pipeline.finished import require_labels
from distill.pipeline.seeds import execute_run, first_run
from distill.pipeline.settings import Settings


def select(settings: Settings, reporter: Reporter) -> Json:
    """Select rows of the labelled pool, in each seed's run; returns the first one's `selection.json`.

    Raises: UserError without a section `select`, and while the labels, as the settings ask for them, are not made.
    """
    if settings.project.select is None:
        raise UserError(
            "nothing says what to select",
            where=f"{settings.where}: select",
            do="add the section, for example select: {rows: 20000, balance: [class]}, or --set select.rows=20000",
        )
    require_labels(settings)
    execute_run(settings, reporter, "select")
    return stored_selection(first_run(settings).run)


def stored_selection(run: Path) -> Json:
    """The `selection.json` of a run. Raises: UserError where nothing was selected."""
    found: Json | None = read_whole(run / SELECTION, SELECTION_FILE)
    if found is None:
        do = "give the folder of a run whose project has a section select, and whose labels are made"
        raise UserError("no selection here", where=str(run), do=or_one_seed(run, do))
    return found
