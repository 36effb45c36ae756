"""Presets: one YAML file per teacher, student or export target, of the toolkit or of a project.

A project's own presets are `presets/teachers/NAME.yaml`, `presets/students/NAME.yaml` and `presets/export/NAME.yaml` in
the folder of its file: the names of the packages that hold the shipped ones. They come first: one that has the name of
a shipped preset replaces it.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from distill.core.config import Config, config_error, merge, parse, parse_yaml, problems
from distill.core.errors import UserError, unknown_name

ConfigT = TypeVar("ConfigT", bound=Config)
_ENDING = ".yaml"


def preset_names(package: str, project: Path | None = None) -> list[str]:
    """Names of the presets of a package (`teachers`, `students`, `export`), sorted.

    Args: project: the folder of a project file, whose own presets count too.
    """
    return sorted(_shipped(package) | own_presets(package, project))


def own_presets(package: str, project: Path | None) -> dict[str, Path]:
    """The files of a project's own presets of a package, by name."""
    folder = project / "presets" / package if project else None
    if folder is None or not folder.is_dir():
        return {}
    return {path.name.removesuffix(_ENDING): path for path in sorted(folder.iterdir()) if path.suffix == _ENDING}


def load_preset(package: str, name: str, where: str, project: Path | None = None) -> dict[str, Any]:
    """The values of one preset.

    Raises: UserError with the nearest name when there is no such preset, or with its file when that is no YAML.
    """
    if name not in preset_names(package, project):
        raise unknown_name(f"{package.removesuffix('s')} preset", name, preset_names(package, project), where)
    return parse_yaml(preset_text(package, name, project), preset_place(package, name, project))


def preset_text(package: str, name: str, project: Path | None = None) -> str:
    """The text of a preset's file. Raises: UserError when it cannot be read."""
    path: Path | Traversable = own_presets(package, project).get(name) or _shipped(package)[name]
    try:
        return path.read_text(encoding="utf-8")
    except (UnicodeDecodeError, OSError) as error:
        place = preset_place(package, name, project)
        raise UserError("cannot read the preset", where=place, found=error, do="save it as UTF-8 text") from None


def preset_place(package: str, name: str, project: Path | None = None) -> str:
    """The file of a preset, for messages."""
    return str(own_presets(package, project).get(name) or f"{package}/presets/{name}{_ENDING}")


def resolve(
    package: str, model: type[ConfigT], name: str, entry: Mapping[str, Any], where: str, project: Path | None = None
) -> ConfigT:
    """The config of one named entry: its preset (by default the one of its own name) with the entry's keys on top.

    Args: where: the file of the entry, for messages. project: the folder of the project file.
    Raises: UserError for an unknown preset, and for every bad key or value at once; those of the preset with its file.
    """
    preset = str(entry.get("preset", name))
    values = load_preset(package, preset, f"{where}: {package}.{name}.preset", project)
    try:
        return parse(model, {**merge(values, entry), "preset": preset}, where, f"{package}.{name}")
    except UserError:
        _require_valid(model, {**values, "preset": preset}, preset_place(package, preset, project))
        raise


def _require_valid(model: type[Config], values: Mapping[str, Any], place: str) -> None:
    """Check a preset by itself; what it leaves out may be given by the entry. Raises: UserError with its file."""
    try:
        model.model_validate(values)
    except ValidationError as error:
        found = [line for line in problems(error, model) if not line.endswith(": missing")]
        if found:
            raise config_error(found, place) from None


def _shipped(package: str) -> dict[str, Traversable]:
    entries = (files(package) / "presets").iterdir()
    return {entry.name.removesuffix(_ENDING): entry for entry in entries if entry.name.endswith(_ENDING)}
