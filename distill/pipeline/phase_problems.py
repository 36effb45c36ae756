"""What is wrong with the rows that teachers learn and with their phases, as far as the project alone says it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from distill.core.errors import hint
from distill.core.names import folded, name_problems
from distill.families.family import family
from teachers.config import TeacherConfig, TeacherEntry
from teachers.phases import ALL_OF_TRAIN, TRAIN

if TYPE_CHECKING:
    from distill.pipeline.settings import Settings


def phase_problems(name: str, teacher: TeacherEntry, settings: Settings) -> Iterator[str]:
    """One line for each source that the project has not, for rows that nothing learns, and for phases of no fit."""
    key, phases = f"teachers.{name}", (teacher.phases if isinstance(teacher, TeacherConfig) else None) or {}
    if teacher.learns_from is None:
        yield from _sources(f"{key}.rows", teacher.rows, settings)
    for phase, own in phases.items():
        yield from _sources(f"{key}.phases.{phase}.rows", own.rows, settings)
    elsewhere = not family(teacher.made_by).learns
    mixed = teacher.rows != ALL_OF_TRAIN and teacher.learns_from is None
    for field, given in (("rows", mixed), ("phases", bool(phases))):
        if given and elsewhere:
            yield f"{key}.{field}: of the family {teacher.made_by} nothing is fitted here; remove {field}"
        if given and teacher.cross_fit is not None:
            yield f"{key}.{field}: cross_fit deals out training rows, and others may repeat them; remove one"
    yield from _names(name, phases, settings)


def _sources(key: str, rows: Iterable[str], settings: Settings) -> Iterator[str]:
    known = [TRAIN, *settings.project.data.extra]
    for source in rows:
        if source not in known:
            yield f"{key}: no such rows '{source}', {hint(source, known, '; name its files in data.extra')}"


def _names(name: str, phases: Iterable[str], settings: Settings) -> Iterator[str]:
    """Earlier phases are models of their own, `NAME-PHASE`."""
    taken = {folded(one) for one in (*settings.teachers, *settings.students)}
    for phase in phases:
        own = f"{name}-{phase}"
        for problem in name_problems("teachers", [own]):
            yield f"teachers.{name}.phases.{phase}: its model would be named {problem}"
        if folded(own) in taken:
            yield f"teachers.{name}.phases.{phase}: a model is named '{own}' already; give the phase another name"
