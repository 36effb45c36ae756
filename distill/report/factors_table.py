"""A speed-up taken apart: view × depth × runtime × precision, so that none of them passes for another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from distill.report import formats
from distill.report.contents import Report, entries
from distill.report.table_model import Column, Sheet

FACTORS = "latency_factors"
"""Key of report.json: the `factors` of latency.json."""
_ORDER = ("view", "depth", "runtime", "precision")
_TIMES = " × "


@dataclass(frozen=True)
class _Line:
    model: str
    whole: Mapping[str, Any]
    parts: Sequence[Mapping[str, Any]]


def factors_sheet(report: Report) -> Sheet:
    """One row for each file of a student, its factors in their order; their product is the whole."""
    lines = [_Line(str(one["model"]), one, one["factors"]) for one in entries(report, FACTORS)]
    columns = [
        Column("Model", lambda line: line.model, kind="name"),
        *(Column(name.capitalize(), _factor(name)) for name in _named(lines)),
        Column("Whole", lambda line: _ratio(line.whole)),
    ]
    return Sheet(_caption(lines), columns, lines)


def _named(lines: Sequence[_Line]) -> list[str]:
    """The factors that any line has, in their order; several that were measured as one come where the last would."""
    found = {str(part["name"]) for line in lines for part in line.parts}
    return sorted(found, key=lambda name: (_ORDER.index(name.split(_TIMES)[-1]), len(name)))


def _factor(name: str) -> Any:
    def cell(line: _Line) -> str:
        return _ratio(next((part for part in line.parts if part["name"] == name), {}))

    return cell


def _ratio(found: Mapping[str, Any]) -> str:
    return formats.times_interval(found.get("value"), [found.get("low"), found.get("high")])


def _caption(lines: Sequence[_Line]) -> str:
    steps = list(dict.fromkeys(_steps(lines)))
    return f"Where speed-ups come from; the factors of a row multiply to the whole. {'; '.join(steps)}."


def _steps(lines: Sequence[_Line]) -> Iterator[str]:
    for line in lines:
        for part in line.parts:
            yield f"{part['name']}: {part['from']} over {part['to']}"
