"""A tokenizer for a run's views before its models are made."""

from __future__ import annotations

from pathlib import Path

from distill.core.errors import UserError
from distill.core.run_folder import RunFolder
from distill.core.view import TOKENIZER_FILE
from distill.pipeline.entries import teacher_entry
from distill.pipeline.named_models import DEFAULT_TEACHER
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
    trimmed = [run / RunFolder.trimmed(name)] if getattr(teacher, "vocabulary", None) else []
    places = [*trimmed, *given, run / f"teachers/{name}", run / RunFolder.checkpoint(name)]
    for folder in (local_folder(str(place)) for place in places if place):
        if folder and (folder / TOKENIZER_FILE).is_file():
            return folder / TOKENIZER_FILE
    raise UserError("no tokenizer yet", where=str(settings.run), do="give --checkpoint, or run distill teach first")


def default_tokenizer(folder: Path) -> Path | None:
    """The `tokenizer.json` of the encoder that teachers start from where nothing else is asked for, if it is at hand.

    Args: folder: of the project file, whose presets come first.
    """
    checkpoint = getattr(teacher_entry(DEFAULT_TEACHER, {}, "distill init", folder), "checkpoint", None)
    found = local_folder(checkpoint) if checkpoint else None
    return found / TOKENIZER_FILE if found and (found / TOKENIZER_FILE).is_file() else None
