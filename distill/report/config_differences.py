"""What several runs differ in: the settings of their projects that are not the same in all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from distill.core.files import Json
from distill.core.run_folder import PROJECT_FILE
from distill.report import formats
from distill.report.table_model import Column, Sheet

_OWN = ("data.root", PROJECT_FILE)  # where a run's files lie is no setting of what it computes
_UNSET = "(not set)"
_LONGEST = 120


def config_differences(configs: Mapping[str, Json]) -> list[Json]:
    """Every setting that not all runs have alike, as `{"key", "values": {run: value}}`, in the order of the configs.

    Args: configs: by run, the `config` of its `run.json`. A value that a run does not have is missing.
    """
    settings_of = {run: flat("", config) for run, config in configs.items()}
    keys = dict.fromkeys(key for settings in settings_of.values() for key in settings)
    found = []
    for key in (key for key in keys if key not in _OWN):
        values = {run: settings[key] for run, settings in settings_of.items() if key in settings}
        if len(values) < len(settings_of) or any(value != next(iter(values.values())) for value in values.values()):
            found.append({"key": key, "values": values})
    return found


def differences_sheet(found: Sequence[Json], runs: Sequence[str]) -> Sheet:
    """A row for each setting, a column for each run."""
    columns = [Column("Setting", lambda row: str(row["key"]), kind="name")]
    columns += [Column(run, _value(run), kind="prose") for run in runs]
    return Sheet("Settings that are not the same in all runs.", columns, found)


def _value(run: str) -> Callable[[Json], str]:
    def cell(row: Json) -> str:
        text = (formats.plain(row["values"][run]) or "none") if run in row["values"] else _UNSET
        return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"

    return cell


def flat(prefix: str, value: Any) -> dict[str, Any]:
    """The settings below a key by their dotted keys; an empty section is a value."""
    if not isinstance(value, dict) or not value:
        return {prefix: value}
    found: dict[str, Any] = {}
    for key, inner in value.items():
        found |= flat(f"{prefix}.{key}" if prefix else str(key), inner)
    return found
