"""Export presets: one YAML file each in `export/presets`, with the settings of one class in `export/targets`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distill.core.config import config_error, merge, parse
from distill.core.errors import UserError, hint
from distill.core.presets import load_preset, preset_names, preset_place
from export.targets import known_targets, target_class
from export.targets.base import Target

_PACKAGE = "export"
_EXPORTER = "exporter"


def target_names(project: Path | None = None) -> list[str]:
    """The names of all export presets. Args: project: the folder of a project file, whose own presets count too."""
    return preset_names(_PACKAGE, project)


def load_target(name: str, overrides: Mapping[str, Any] | None = None, project: Path | None = None) -> Target:
    """The export preset `name`, with `overrides` laid on top.

    Args: project: the folder of a project file, whose own presets come first.
    Raises: UserError for an unknown name, with the nearest one, or for every field that does not fit.
    """
    values = merge({"name": name, **load_preset(_PACKAGE, name, "export", project)}, overrides or {})
    return parse_target(values, preset_place(_PACKAGE, name, project))


def fallbacks(targets: Mapping[str, Target], project: Path | None = None) -> dict[str, Target]:
    """The targets that others fall back to, by name.

    Args: project: as for `load_target`. Raises: UserError for an unknown name, with the preset that has it.
    """
    known, found = target_names(project), {}
    for name, target in targets.items():
        for after in target.falls_back:
            if after not in known:
                where = preset_place(_PACKAGE, name, project)
                raise config_error([f"falls_back: unknown target '{after}', {hint(after, known)}"], where)
            found[after] = load_target(after, project=project)
    return found


def parse_target(values: Mapping[str, Any], where: str) -> Target:
    """The target that a preset's `values` describe; `where` names their file in messages.

    Raises: UserError for an unknown `target`, with the nearest one, or for every field that does not fit.
    """
    chosen, known = values.get("target"), known_targets()
    if chosen not in known and ":" not in str(chosen):
        found = f"unknown '{chosen}'" if "target" in values else "missing"
        raise config_error([f"target: {found}, {hint(str(chosen), known)}"], where)
    return parse(target_class(str(chosen)), values, where)


def with_exporter(targets: Mapping[str, Target], exporter: str | None, python: str | None) -> dict[str, Target]:
    """The same targets, those that trace a model with another exporter; None leaves what their presets say.

    Args: python: the interpreter of the exporter's environment; a relative path is one from here.
    Raises: UserError when no target traces a model, or the two do not fit each other.
    """
    # Not resolved: the Python of a virtual environment is a link, and is another one where it leads to.
    place = str(Path(python).absolute()) if python else None
    given = {key: one for key, one in ((_EXPORTER, exporter), (f"{_EXPORTER}_python", place)) if one is not None}
    traced = [name for name, one in targets.items() if _EXPORTER in type(one).model_fields]
    if given and not traced:
        found = ", ".join(targets) or "none"
        raise UserError("no export target traces a model", where="--exporter", found=found, do="export the target onnx")
    return {
        name: parse(type(one), {**one.as_json(), **given}, "--exporter") if given and name in traced else one
        for name, one in targets.items()
    }
