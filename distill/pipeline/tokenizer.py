"""A tokenizer for a run's views before its models are made."""

from __future__ import annotations

from pathlib import Path

from distill.core.errors import UserError
from distill.core.run_folder import RunFolder
from distill.core.view import TOKENIZER_FILE
from distill.pipeline.seeds import first_run
from distill.pipeline.settings import Settings
from teachers.embedded import local_folder


def first_tokenizer(settings: Settings) -> Path:
    """The `tokenizer.json` of the first teacher: of its checkpoint, or of what the run has made of it.

    Raises: UserError where there is none yet.
    """
    name, run = settings.first_teacher, RunFolder(first_run(settings).run)
    teacher = settings.teachers[name]
    given = [getattr(teacher, "finished", None), getattr(teacher, "checkpoint", None)]
    places = [*given, run / f"teachers/{name}", run / RunFolder.checkpoint(name)]
    for folder in (local_folder(str(place)) for place in places if place):
        if folder and (folder / TOKENIZER_FILE).is_file():
            return folder / TOKENIZER_FILE
    raise UserError("no tokenizer yet", where=str(settings.run), do="give --checkpoint, or run distill teach first")
