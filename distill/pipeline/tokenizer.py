"""A tokenizer for a run's views before its models are made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from distill.core.errors import UserError
from distill.core.run_folder import RunFolder
from distill.core.view import TOKENIZER_FILE
from distill.pipeline.entries import teacher_entry
from distill.pipeline.named_models import DEFAULT_TEACHER
from distill.pipeline.seeds import first_run
from distill.pipeline.settings import Settings
from distill.pipeline.view_tokenizer import by_view, given, in_folders
from teachers.embedded import local_folder


def tokenizer_of(settings: Settings, view: str) -> Path:
    """The `tokenizer.json` that a view is read with: of a model that the project names, or that the run has made.

    Raises: UserError where there is none yet.
    """
    run = RunFolder(first_run(settings).run)
    places = (place for one in by_view(settings, view) for place in _places(run, *one))
    for path in in_folders(places):
        return path
    raise UserError("no tokenizer yet", where=str(settings.run), do="give --checkpoint, or run distill teach first")


def _places(run: RunFolder, kind: str, name: str, entry: Any) -> Iterator[str]:
    """Where the tokenizer of an entry may be, the one that it reads with first."""
    if getattr(entry, "vocabulary", None):
        yield str(run / RunFolder.trimmed(name))
    yield from given(entry)
    yield str(run / f"{kind}/{name}")
    yield str(run / RunFolder.checkpoint(name))


def default_tokenizer(folder: Path) -> Path | None:
    """The `tokenizer.json` of the encoder that teachers start from where nothing else is asked for, if it is at hand.

    Args: folder: of the project file, whose presets come first.
    """
    checkpoint = getattr(teacher_entry(DEFAULT_TEACHER, {}, "distill init", folder), "checkpoint", None)
    found = local_folder(checkpoint) if checkpoint else None
    return found / TOKENIZER_FILE if found and (found / TOKENIZER_FILE).is_file() else None
