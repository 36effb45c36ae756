"""What is wrong with where models start and with the rows that they learn, as far as the project alone says it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from distill.core.errors import hint
from distill.families.family import family
from distill.training.learning import ALL, POOL, SHORT, TRAIN
from students.config import StudentEntry, TrainedEntry
from teachers.config import TeacherConfig, TeacherEntry

if TYPE_CHECKING:
    from distill.pipeline.settings import Settings

_FINISHED = "a finished teacher is not trained"
_ELSEWHERE = {"finished": _FINISHED, "finished_model": _FINISHED, "imported": "its labels were made elsewhere"}


def start_problems(settings: Settings) -> Iterator[str]:
    """One line for each start that is none, pre-training of no checkpoint, source of no rows, recipe for no layers."""
    for name, teacher in settings.teachers.items():
        if isinstance(teacher, TeacherConfig):
            yield from _teacher(name, teacher, settings)
            if family(teacher.made_by).learns and not _sorts_layers(teacher.family):
                yield from _recipe(f"teachers.{name}", teacher)
                if teacher.head is not None:
                    yield f"teachers.{name}.head: the family {teacher.family} has one of its own; remove it"
        if teacher.learns_from is None:
            yield from _untaught(f"teachers.{name}", teacher)
        else:
            yield from _taught(name, teacher, settings)
            yield from _rows(f"teachers.{name}", teacher, list(settings.project.data.pool))
    for name, student in settings.students.items():
        if isinstance(student, TrainedEntry) and not _sorts_layers(student.family):
            yield from _recipe(f"students.{name}", student)
        yield from _rows(f"students.{name}", student, list(settings.project.data.pool))


def needs_of(settings: Settings) -> dict[str, list[str]]:
    """Names that each model waits for, by its name; the card teacher, which has no entry of its own, among them."""
    needs: dict[str, list[str]] = {}
    for name, teacher in settings.teachers.items():
        start = getattr(teacher, "starts_from", None)
        needs[name] = [*getattr(teacher, "members", ()), *(teacher.learns_from or []), *([start] if start else [])]
    if settings.labelling:
        start = getattr(settings.teachers[settings.first_teacher], "starts_from", None)
        taught = settings.teachers[settings.first_teacher].learns_from or []
        needs[settings.card_name] = [*taught, *([start] if start and start != settings.card_name else [])]
    for name, student in settings.students.items():
        source = getattr(student, "source", None)
        needs[name] = [*(student.learns_from or []), *([source] if source else [])]
    return needs


def no_card_teacher(settings: Settings) -> str | None:
    """Why the run has no teacher on cards, whatever students there are; None where it has one."""
    first = settings.teachers[settings.first_teacher]
    return (
        "controls.card_teacher leaves it out"
        if not settings.project.controls.card_teacher
        else "the teacher is finished, so none is trained on cards"
        if getattr(first, "finished", None) is not None
        else "the teacher reads cards itself, so there is no other"
        if first.view == "card"
        else "the teacher's labels were made elsewhere"
        if first.made_by == "imported"
        else f"a teacher of the family {first.family} is not trained, so there is none on cards"
        if not family(first.made_by).learns
        else None
    )


def _teacher(name: str, teacher: TeacherConfig, settings: Settings) -> Iterator[str]:
    key, made = f"teachers.{name}", teacher.made_by
    elsewhere = _ELSEWHERE
    for field in ("starts_from", "pretrain"):
        if getattr(teacher, field) and made in elsewhere:
            yield f"{key}.{field}: {elsewhere[made]}; remove {field}"
    if teacher.starts_from is None:
        return
    other_root = settings.root_of(name) != name
    if teacher.pretrain and other_root:
        yield f"{key}.pretrain: goes on from a checkpoint, and starts_from names '{teacher.starts_from}'; remove one"
    if teacher.vocabulary is not None and other_root:
        yield f"{key}.vocabulary: the teacher starts from '{teacher.starts_from}', whose vocabulary it has; remove it"
    if teacher.fresh is not None and other_root:
        yield f"{key}.fresh: the teacher starts from '{teacher.starts_from}'; remove fresh"
    yield from (f"{key}.starts_from: {why}" for why in _no_start(name, teacher.starts_from, settings))


def _untaught(key: str, teacher: TeacherEntry) -> Iterator[str]:
    """Settings of soft labels where a teacher learns none."""
    own = [name for name in ("losses", *SHORT, "allow_missing") if name in teacher.model_fields_set]
    if own:
        why = f"{', '.join(own)} {'says' if len(own) == 1 else 'say'} how soft labels are learnt"
        yield f"{key}.learns_from: {why}; name the teachers whose labels it learns"


def _taught(name: str, teacher: TeacherEntry, settings: Settings) -> Iterator[str]:
    """Teachers that are not there to learn from, and what does not go together with their labels."""
    key, known = f"teachers.{name}", [other for other in settings.teachers if other != name]
    for other in teacher.learns_from or ():
        if other not in known:
            yield f"{key}.learns_from: no such teacher '{other}', {hint(other, known)}"
        elif students := settings.students_in(other):
            late = f"'{students[0]}' is a student, which is fitted after the teachers"
            yield f"{key}.learns_from: {late}, and '{other}' is made of it; name another teacher"
    if not family(teacher.made_by).learns:
        reason = _ELSEWHERE.get(teacher.made_by, f"of the family {teacher.made_by} nothing is fitted here")
        yield f"{key}.learns_from: {reason}; remove learns_from"
    if any(weight != 1 for weight in teacher.rows.values()):
        yield f"{key}.rows: a row has its soft labels once; name the rows without weights"
    if getattr(teacher, "phases", None) is not None:
        yield f"{key}.phases: each phase learns gold of its own; remove phases or learns_from"
    if teacher.slices is not None:
        yield f"{key}.slices: soft labels are learnt on the rows that `rows` names; remove slices"
    if teacher.cross_fit is not None:
        yield f"{key}.cross_fit: whoever made the labels that it learns has seen the gold of every fold; remove one"


def _no_start(name: str, start: str, settings: Settings) -> Iterator[str]:
    """Why a teacher cannot start from a model of this name."""
    known = [*(other for other in settings.teachers if other != name), settings.card_name]
    if start not in known:
        yield f"no such teacher '{start}', {hint(start, known)}"
        return
    if start == settings.card_name:
        if reason := no_card_teacher(settings):
            yield f"there is no '{start}': {reason}"
        elif not family(settings.teachers[settings.first_teacher].family).layered:
            yield f"'{start}' has no weights to start from"
        return
    other = settings.teachers[start]
    if other.made_by == "imported":
        yield f"of '{start}' there are only labels, no model"
    elif not family(other.made_by).layered:
        yield f"'{start}' is of the family {other.family}, which has no weights to start from"


def _sorts_layers(name: str) -> bool:
    """Whether a recipe may treat the layers of a family apart."""
    return family(name).layered or family(name).sorted_layers


def _recipe(key: str, entry: TeacherConfig | TrainedEntry) -> Iterator[str]:
    """What of a recipe is about the layers of an encoder, or about training steps, of a family that has none."""
    if not family(entry.family).optimised:
        for name in sorted({"training", "phases", "losses", "temperature", "alpha"} & entry.model_fields_set):
            yield f"{key}.{name}: the family {entry.family} takes no training steps; remove it"
        return
    training, why = entry.training, f"the family {entry.family} has no layers of its own to sort by"
    if training.optimiser == "muon":
        yield f"{key}.training.optimiser: {why}; use adamw"
    if training.layer_decay != 1:
        yield f"{key}.training.layer_decay: {why}; remove it"
    if training.lora is not None:
        yield f"{key}.training.lora: the family {entry.family} has no layers for adapters; remove it"
    if training.gradient_checkpointing:
        yield f"{key}.training.gradient_checkpointing: the family {entry.family} recomputes no layers; remove it"
    if training.head_dropout is not None:
        yield f"{key}.training.head_dropout: the head of the family {entry.family} has a setting of its own; remove it"


def _rows(key: str, entry: TeacherEntry | StudentEntry, pool: list[str]) -> Iterator[str]:
    """Sources of the pool that are not there, and gold rows drawn again where no row has gold."""
    known = [ALL, POOL, TRAIN, *pool]
    for name in entry.rows:
        if name not in known:
            yield f"{key}.rows: no such pool source '{name}', {hint(name, known)}"
        elif name == POOL and not pool:
            yield f"{key}.rows: there is no pool; name data.pool, or use rows: {TRAIN}"
    if isinstance(entry, TeacherConfig | TrainedEntry) and entry.training.oversample is not None:
        if not {ALL, TRAIN} & {*entry.rows}:
            why = "gold rows are drawn again, and rows of the pool have no gold"
            yield f"{key}.training.oversample: {why}; remove it, or add {TRAIN} to {key}.rows"
