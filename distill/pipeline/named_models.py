"""Which teachers and students a run has: those that its options name, else the project's, else the defaults."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.core.config import load_yaml
from distill.core.errors import UserError, unknown_name
from distill.core.names import name_problems, shown
from distill.core.presets import preset_names

DEFAULT_TEACHER, DEFAULT_STUDENT = "base", "8L_trunc"
_NAME_IT = "name the folder in the project file, teachers: {NAME: {finished: FOLDER}}, and give --teacher NAME"

Entries = Mapping[str, dict[str, Any]]


def named_teachers(given: Entries | None, wanted: Sequence[str], config: Path) -> dict[str, dict[str, Any]]:
    """The teachers' entries by name.

    Args: given: those of the project. wanted: names of the project or of presets, or folders of finished teachers, each
        alone or with the weight of its labels among the others': `base:0.8`. config: the project file.
    Raises: UserError for an unknown name, a weight that is no number above 0, and a teacher that is named twice.
    """
    if not wanted:
        return {DEFAULT_TEACHER: {}} if given is None else dict(given)
    entries, known = given or {}, [*(given or {}), *preset_names("teachers", config.parent)]
    found: dict[str, dict[str, Any]] = {}
    for one in wanted:
        name, weight = split_weight(one, known)
        if name not in entries and os.path.isdir(name):
            own, entry = _finished(Path(name).resolve())
        else:
            _require_known("teacher", name, known, ", or give an existing Hugging Face folder")
            own, entry = name, dict(entries.get(name, {}))
        entry |= {} if weight is None else {"weight": weight}
        if (other := found.setdefault(own, entry)) != entry:
            twice = {**other, "weight": None} == {**entry, "weight": None}
            what = "a teacher is named with two weights" if twice else "two teachers have one name"
            raise UserError(what, where="--teacher", found=shown(own), do="name it once" if twice else _NAME_IT)
    return found


def named_students(given: Entries | None, wanted: Sequence[str], config: Path) -> dict[str, dict[str, Any]]:
    """The students' entries by name. Args: as of `named_teachers`, without folders and weights."""
    if not wanted:
        return {DEFAULT_STUDENT: {}} if given is None else dict(given)
    entries = given or {}
    for name in wanted:
        _require_known("student", name, [*entries, *preset_names("students", config.parent)], "")
    return {name: dict(entries.get(name, {})) for name in wanted}


def split_weight(given: str, known: Collection[str]) -> tuple[str, float | None]:
    """`NAME:WEIGHT` as name and weight; the weight is None where there is none.

    What is known or a folder as it is given is taken whole, so that a path may hold a `:` of its own.

    Args: known: names of teachers and presets. Raises: UserError for a weight that is no number above 0.
    """
    name, sign, text = given.rpartition(":")
    if not sign or _is_there(given, known):
        return given, None
    weight = _number(text)
    if weight is None and not _is_there(name, known):
        return given, None  # unknown as it is, and told so
    if weight is None or not 0 < weight < math.inf:
        raise UserError(
            "the weight of a teacher is a number above 0",
            where=f"--teacher {shown(name)}",
            found=shown(text),
            do="give NAME:WEIGHT, as in base:0.8; a teacher that only is measured has weight: 0 in the project file",
        )
    return name, weight


def first_named_teacher(config: Path, wanted: Sequence[str] = ()) -> str:
    """The first teacher of `wanted`, or else of a project file that labels; `base` where that names none.

    Args: wanted: as of `named_teachers`. Raises: as `load_yaml` and `split_weight`.
    """
    entries = load_yaml(config).get("teachers")
    named = entries if isinstance(entries, dict) else {}
    if wanted:
        return split_weight(wanted[0], [*named, *preset_names("teachers", config.parent)])[0]
    labelling = [name for name, one in named.items() if not isinstance(one, dict) or one.get("weight") != 0]
    return str(next(iter([*labelling, DEFAULT_TEACHER])))


def _is_there(name: str, known: Collection[str]) -> bool:
    return name in known or os.path.isdir(name)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _finished(folder: Path) -> tuple[str, dict[str, Any]]:
    """A finished teacher under its folder's name."""
    if found := name_problems("teachers", [folder.name]):
        raise UserError("the folder's name cannot be the teacher's", where="--teacher", found=found[0], do=_NAME_IT)
    return folder.name, {"preset": DEFAULT_TEACHER, "finished": str(folder)}


def _require_known(kind: str, name: str, known: Iterable[str], otherwise: str) -> None:
    if name not in known:
        raise unknown_name(kind, shown(name), known, f"--{kind}", f" (distill presets shows them){otherwise}")
