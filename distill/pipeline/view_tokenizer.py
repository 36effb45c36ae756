"""The tokenizer that a view is read with, before any model is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from distill.core.view import TOKENIZER_FILE
from distill.pipeline.settings import Settings
from teachers.embedded import local_folder

_GIVEN = ("finished", "checkpoint", "start")  # settings that name a model which is there already


def known_tokenizer(settings: Settings, view: str) -> Path | None:
    """The `tokenizer.json` of the first model that is likely to read a view; None where none is in a folder yet."""
    return next(in_folders(place for _, _, entry in by_view(settings, view) for place in given(entry)), None)


def by_view(settings: Settings, view: str) -> list[tuple[str, str, Any]]:
    """Kind of folder, name and entry of those that read a view; where no teacher does, then the teachers.

    A student that names no start of its own reads with the tokenizer of its teacher.
    """
    kinds: dict[str, Mapping[str, Any]] = {"teachers": settings.teachers, "students": settings.students}
    found = [(kind, name, entry) for kind, entries in kinds.items() for name, entry in entries.items()]
    readers = [one for one in found if getattr(one[2], "view", None) == view]
    if any(kind == "teachers" for kind, _, _ in readers):
        return readers
    return [*readers, *(one for one in found if one[0] == "teachers")]


def given(entry: Any) -> Iterator[str]:
    """The models that an entry names."""
    yield from (str(place) for name in _GIVEN if (place := getattr(entry, name, None)))


def in_folders(places: Iterator[str]) -> Iterator[Path]:
    """Those `tokenizer.json` of places that are there."""
    for folder in map(local_folder, places):
        if folder and (folder / TOKENIZER_FILE).is_file():
            yield folder / TOKENIZER_FILE
