"""Entries of a project: each teacher and student by the config class of its family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import create_model

from distill.core.errors import UserError
from distill.core.presets import load_preset, preset_place, resolve
from distill.families.family import CONFIG_FILE, family, family_of
from students.config import StudentConfig, StudentEntry, TrainedEntry
from teachers.config import TeacherConfig, TeacherEntry
from teachers.embedded import local_folder

EntryT = TypeVar("EntryT", TeacherEntry, StudentEntry)
ENCODER = "encoder"


def teacher_entry(name: str, entry: Mapping[str, Any], where: str, project: Path) -> TeacherEntry:
    """One teacher, checked. Raises: as `resolve`; UserError for an unknown family."""
    found = _entry("teachers", name, entry, where, project, (TeacherEntry, TeacherConfig))
    finished = local_folder(found.finished) if isinstance(found, TeacherConfig) and found.finished else None
    if finished is None or not (finished / CONFIG_FILE).is_file():
        return found
    return found.model_copy(update={"family": family_of(finished).name, "finished": str(finished)})


def starts_from_checkpoint(name: str, entry: Mapping[str, Any], where: str, project: Path) -> bool:
    """Whether a teacher's model goes back to a checkpoint: not of words, not of others, not finished elsewhere.

    Raises: UserError for an unknown preset or family.
    """
    values, model = _chosen("teachers", name, entry, where, project, (TeacherEntry, TeacherConfig))
    return issubclass(model, TeacherConfig) and values.get("finished") is None


def student_entry(name: str, entry: Mapping[str, Any], where: str, project: Path) -> StudentEntry:
    """One student, checked. Raises: as `resolve`; UserError for an unknown family."""
    return _entry("students", name, entry, where, project, (StudentEntry, StudentConfig))


def mean_entry(teacher: TeacherEntry, members: Sequence[str]) -> TeacherEntry:
    """The entry of the mean of some fits of a teacher, whose view and labelling it has."""
    kept: dict[str, Any] = {name: getattr(teacher, name) for name in ("preset", "view", "labelling")}
    kept |= {"family": "ensemble", "weight": 0.0, "members": dict.fromkeys(members, 1.0)}
    return _of_family(TeacherEntry, "ensemble", teacher.preset)(**kept)


def control_entry(name: str, kind: str, classes: int) -> StudentEntry:
    """The entry of a control: a family on cards and gold alone. Args: kind: the family. classes: of the task."""
    model = _of_family(StudentEntry, kind, f"controls.{name}")
    return model(preset=name, family=kind, **family(kind).control(classes)).on_gold_alone()


def _entry(
    package: str,
    name: str,
    entry: Mapping[str, Any],
    where: str,
    project: Path,
    classes: tuple[type[EntryT], type[EntryT]],
) -> EntryT:
    """Args: classes: of entries of any family, and of encoders."""
    values, model = _chosen(package, name, entry, where, project, classes)
    preset, kind = str(entry.get("preset", name)), str(values.get("family", ENCODER))
    try:
        return resolve(package, model, name, entry, where, project)
    except UserError as error:
        if "family" in entry and error.where == preset_place(package, preset, project):
            what = f"the preset '{preset}' has keys that the family '{kind}' has not"
            do = "name a preset of that family (preset: NAME); 'distill presets' lists them"
            raise UserError(what, where=f"{where}: {package}.{name}.family", found=kind, do=do) from None
        raise


def _chosen(
    package: str,
    name: str,
    entry: Mapping[str, Any],
    where: str,
    project: Path,
    classes: tuple[type[EntryT], type[EntryT]],
) -> tuple[dict[str, Any], type[EntryT]]:
    """An entry's values on top of its preset's, and the class that its family gives it."""
    preset = str(entry.get("preset", name))
    values = {**load_preset(package, preset, f"{where}: {package}.{name}.preset", project), **entry}
    kind = str(values.get("family", ENCODER))
    return values, classes[1] if kind == ENCODER else _of_family(classes[0], kind, f"{where}: {package}.{name}")


def _of_family(base: type[EntryT], kind: str, where: str) -> type[EntryT]:
    """What every entry has, with the keys of the family's own.

    Raises: UserError for a family that is not chosen this way, or whose models cannot be in this section.
    """
    chosen = family(kind, f"{where}.family")
    if chosen.key is not None:
        do = f"leave family out and give {chosen.key}; only a teacher has it"
        raise UserError("this family is chosen by a key of its own", where=f"{where}.family", found=kind, do=do)
    if base is StudentEntry and not chosen.learns:
        do = "name a family that is fitted on rows, or make it a teacher"
        raise UserError("a student of this family would learn nothing", where=f"{where}.family", found=kind, do=do)
    own = type(chosen).Settings
    if chosen.starts:
        base = cast(type[EntryT], TrainedEntry if base is StudentEntry else TeacherConfig)
    return cast(type[EntryT], create_model(f"{own.__qualname__}Entry", __base__=(base, own)))
