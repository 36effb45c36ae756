"""Whose encoder each student starts from, by the words of the project alone."""

from __future__ import annotations

from distill.pipeline.settings import Settings
from students.config import TrainedEntry


def root_of(student: str, settings: Settings) -> str | None:
    """The entry that brings the encoder of a student: a teacher, or a student with a start of its own.

    None where the run chooses the teacher, and for a student of a family that starts from nothing.
    """
    first = [*settings.chain_of(student), student][0]
    entry = settings.students[first]
    if not isinstance(entry, TrainedEntry):
        return None
    if entry.has_own_start:
        return first
    return settings.root_of(entry.source) if entry.source in settings.teachers else None


def views_read(name: str, settings: Settings) -> list[str]:
    """Names of the views that may be read with what an entry starts from, sorted.

    Those of the entry, of the models that may come of it, and for a teacher the card, which every teacher is asked on
    or measured by.
    """
    found = {settings.entry(name).view}
    rooted = [one for one in settings.teachers if settings.root_of(one) == name]
    found |= {settings.teachers[one].view for one in rooted} | ({"card"} if rooted else set())
    for student, entry in settings.students.items():
        root = root_of(student, settings)
        chosen = root is None and isinstance(entry, TrainedEntry) and any(one in settings.labelling for one in rooted)
        if root == name or chosen or name in settings.chain_of(student):
            found.add(entry.view)
    return sorted(found)
