"""The tables of a report as data: each names its columns once; HTML, terminal and Markdown render the same cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from distill.core.files import Json
from distill.evaluation.entries import LatencyRow, ModelFigures
from distill.report.contents import Report, dig, latency_of, models_of

ROLES = {
    "teacher": "Teachers",
    "student": "Students",
    "baseline": "Baselines",
    "artifact": "Exported artifacts",
    "remeasured": "On another view",
}


@dataclass(frozen=True)
class Column:
    """One column: its heading and the cell of a row.

    Args: name: heading. cell: row -> text. group: heading over neighbouring columns. alone: heading where no groups are
        shown, by default `name`. kind: "number" is aligned right, "name" is shown as code, "text" as it is,
        "prose" and "label" over several lines, "check" is "yes" or "no" with what it is about in brackets.
        spare: 0 is always shown; narrow terminals leave out the highest first. figure: row -> what the best cell is
        found by, None where there is nothing; lower: whether the least is the best.
    """

    name: str
    cell: Callable[[Any], str]
    group: str = ""
    alone: str = ""
    kind: str = "number"
    spare: int = 0
    figure: Callable[[Any], float | None] | None = None
    lower: bool = False


@dataclass(frozen=True)
class Sheet:
    """A table not yet rendered.

    Args: rows: whatever the cells take. section: row -> heading shared with neighbours. marked: rows that stand out.
        across: whether the best cell is that of a row, not of a column.
    """

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Any]
    section: Callable[[Any], str] | None = None
    marked: Callable[[Any], bool] | None = None
    across: bool = False

    def best(self) -> Callable[[Column, Any], bool]:
        """Whether a cell holds the best figure of its column, or row; of one figure alone there is no best."""
        if self.across:
            return lambda column, row: _is_best(column, row, [(other, row) for other in self.columns])
        tops = {id(column): _top([(column, row) for row in self.rows]) for column in self.columns}
        return lambda column, row: tops[id(column)] is not None and _signed(column, row) == tops[id(column)]


@dataclass(frozen=True)
class ModelRow:
    """A model with the quality block that the table is about (all test rows or one test) and its batch-1 latency.

    Attributes: latency: with nothing measured where the model was not timed.
    """

    model: ModelFigures
    quality: Json
    latency: LatencyRow

    @property
    def name(self) -> str:
        """The model's name, such as `8L_trunc@card.onnx-int8`."""
        return self.model.name

    @property
    def points(self) -> Json:
        """The operating points of the positive class by rule, null where validation never reached one."""
        return dig(self.quality, "positive", "operating_points")


def model_rows(report: Report, test: str | None = None) -> list[ModelRow]:
    """Every model in the order of roles, with its figures over all test rows or over one test."""
    models = sorted(models_of(report), key=lambda model: _role_order(model.role))
    timed = [row for row in latency_of(report) if row.single]
    return [
        ModelRow(
            model=model,
            quality=dig(model.quality) if test is None else dig(model.tests, test),
            latency=next((row for row in timed if row.model == model.name), LatencyRow()),
        )
        for model in models
    ]


def role_heading(row: ModelRow) -> str:
    """The heading over models of the same role."""
    role = str(row.model.role or "model")
    return ROLES.get(role, role.capitalize())


def _role_order(role: object) -> int:
    return list(ROLES).index(str(role)) if role in ROLES else len(ROLES)


def _is_best(column: Column, row: Any, cells: Sequence[tuple[Column, Any]]) -> bool:
    top = _top(cells)
    return top is not None and _signed(column, row) == top


def _top(cells: Sequence[tuple[Column, Any]]) -> float | None:
    """The best of several figures; None where there are fewer than two."""
    known = [value for cell in cells if (value := _signed(*cell)) is not None]
    return max(known) if len(known) > 1 else None


def _signed(column: Column, row: Any) -> float | None:
    """A cell's figure such that more is better."""
    value = column.figure(row) if column.figure else None
    return None if value is None else -value if column.lower else value
