"""What is wrong with students alone, and the plan without them of a verb that trains none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from distill.core.errors import hint
from distill.families.family import family
from students.config import StudentEntry, TrainedEntry
from teachers.config import TeacherConfig, TeacherEntry

if TYPE_CHECKING:
    from distill.pipeline.settings import Settings

_SECTION = "students."
_EARLIER = ("audit", "teach", "label", "select")


def trains_students(until: str) -> bool:
    """Whether a run up to a verb trains students."""
    return until not in _EARLIER


def not_of_students(problems: Sequence[str]) -> list[str]:
    """The problems that are not about an entry of `students`."""
    return [line for line in problems if not line.startswith(_SECTION)]


def without_students(settings: Settings) -> Settings:
    """The settings without students and the ensembles that are made of them, for verbs that come before both."""
    teachers = {name: one for name, one in settings.teachers.items() if not settings.students_in(name)}
    return replace(settings, teachers=teachers, students={}, students_later=True)


def student_problems(name: str, student: StudentEntry, settings: Settings) -> Iterator[str]:
    """Models that a student names and the run has not, and starts that are no start."""
    known = [*settings.teachers, *(other for other in settings.students if other != name)]
    for other in student.learns_from or []:
        if other not in known:
            yield f"students.{name}.learns_from: no such model '{other}', {hint(other, known)}"
    if not isinstance(student, TrainedEntry):
        return
    if student.has_own_start:
        return
    if student.source is not None and student.source not in known:
        yield f"students.{name}.source: no such model '{student.source}', {hint(student.source, known)}"
        return
    named = settings.source_of(student) if settings.labelling else None
    source = settings.entry(named) if named else None
    if student.init == "pretrained" and student.source in settings.students:
        yield f"students.{name}.init: a student has no checkpoint of its own; use init: teacher, or name a teacher"
    elif student.init == "pretrained" and named and _has_no_checkpoint(named, settings):
        yield f"students.{name}.init: a finished teacher has no pre-trained checkpoint; use init: teacher"
    elif source is not None and not family(source.family).layered and not _gives_checkpoint(student, source):
        why = f"'{named}' is of the family {source.family}, which has no layers to take"
        layered = ", ".join(other for other in known if family(settings.entry(other).family).layered)
        yield f"students.{name}.source: {why}, known: {layered or 'none'}; or give it a start of its own (start)"


def _gives_checkpoint(student: TrainedEntry, source: TeacherEntry | StudentEntry) -> bool:
    """Whether a student starts from the encoder that a teacher of any family started from itself."""
    return student.init == "pretrained" and isinstance(source, TeacherConfig)


def _has_no_checkpoint(name: str, settings: Settings) -> bool:
    """Whether a teacher goes back to a finished one, whose pre-trained encoder is not known."""
    root = settings.teachers.get(settings.root_of(name)) if name in settings.teachers else None
    return getattr(root, "finished", None) is not None
