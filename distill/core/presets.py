"""Presets: one YAML file per teacher, student or export target, shipped inside its package."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any, TypeVar

from distill.core.config import Config, merge, parse, parse_yaml
from distill.core.errors import unknown_name

ConfigT = TypeVar("ConfigT", bound=Config)


def preset_names(package: str) -> list[str]:
    """Names of the presets of a package (`teachers`, `students`, `export`), sorted."""
    folder = files(package) / "presets"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def load_preset(package: str, name: str, where: str) -> dict[str, Any]:
    """The values of one preset. Raises: UserError with the nearest name when there is no such preset."""
    known = preset_names(package)
    if name not in known:
        raise unknown_name(f"{package.removesuffix('s')} preset", name, known, where)
    text = (files(package) / "presets" / f"{name}.yaml").read_text(encoding="utf-8")
    return parse_yaml(text, f"{package}/presets/{name}.yaml")


def resolve(package: str, model: type[ConfigT], name: str, entry: Mapping[str, Any], where: str) -> ConfigT:
    """The config of one named entry: its preset (by default the one of its own name) with the entry's keys on top.

    Raises: UserError for an unknown preset, and for every bad key or value at once.
    """
    preset = str(entry.get("preset", name))
    values = merge(load_preset(package, preset, f"{where}: {package}.{name}.preset"), entry)
    return parse(model, {**values, "preset": preset}, where, f"{package}.{name}")
