"""What the tables of studies have in common: a cell's figures, and its difference to the cell that leads."""

from __future__ import annotations

from collections.abc import Callable

from distill.core.files import Json
from distill.core.grid import shown_value
from distill.evaluation.direction import LOWER_IS_BETTER, unit
from distill.evaluation.holm import is_shown
from distill.report import formats
from distill.report.contents import dig, entries
from distill.report.names import metric_name
from distill.report.table_model import Column

VALID, TEST = "valid", "test"
_NAMES = {VALID: "validation", TEST: "test"}


def named_metric(found: Json) -> str:
    """The metric as a heading or at the start of a sentence."""
    name = metric_name(str(found.get("metric")), found.get("positive"))
    return name[:1].upper() + name[1:]


def value_columns(found: Json) -> list[Column]:
    """A column for each of a cell's values."""
    return [_value_column(str(name)) for name in found.get("columns") or []]


def quality_column(found: Json, split: str, *, best: bool = False) -> Column:
    """The metric with its interval. Args: best: whether the best cell is marked."""
    metric = str(found.get("metric"))
    return Column(
        f"{named_metric(found)}, {_NAMES[split]}",
        lambda row: formats.metric_interval(metric, dig(row, split, metric)),
        figure=_figure(split, metric) if best else None,
        lower=metric in LOWER_IS_BETTER,
    )


def loss_column(split: str, *, best: bool = False) -> Column:
    """Log loss with its interval. Args: best: whether the best cell is marked."""
    return Column(
        f"Log loss, {_NAMES[split]}",
        lambda row: loss(dig(row, split, "log_loss")),
        spare=2,
        figure=_figure(split, "log_loss") if best else None,
        lower=True,
    )


def _figure(split: str, metric: str) -> Callable[[Json], float | None]:
    return lambda row: formats.number(dig(row, split, metric))


def over_column(found: Json, split: str, name: str) -> Column:
    """The difference to the cell that leads, in points or nats. Args: name: of the column, before the split."""
    metric = str(found.get("metric"))
    return Column(f"{name}, {_NAMES[split]}", lambda row: points(dig(row, "over", split, metric), metric))


def failed_column() -> Column:
    """Why a cell has no figures."""
    return Column("Failed", lambda row: str(row.get("error") or ""), kind="prose")


def hours_column() -> Column:
    """Hours of a fit."""
    return Column("Hours of a fit", lambda row: formats.plain(row.get("hours")), spare=1)


def loss(figure: Json) -> str:
    """A log loss: "0.6123 (0.580–0.650)"."""
    return formats.metric_interval("log_loss", figure)


def points(apart: Json, metric: str) -> str:
    """A difference in points, "+1.20 (−0.3…+2.7)", of log loss in nats."""
    factor, decimals, _ = unit(metric)
    return formats.signed_interval(apart.get("difference"), apart, factor, decimals + 1)


def done(found: Json) -> list[Json]:
    """The cells that have figures."""
    return [cell for cell in entries(found, "cells") if cell.get("status") == "done"]


def lead(found: Json) -> Json:
    """The cell that the others are compared with."""
    return next((cell for cell in entries(found, "cells") if cell.get("name") == found.get("lead")), {})


def failures(found: Json) -> list[str]:
    """A sentence on the cells that failed; none where all are done."""
    cells = entries(found, "cells")
    failed = [cell for cell in cells if cell.get("status") == "failed"]
    count = f"{len(failed)} of {len(cells)} cells failed, and were left out"
    return [f"{count}; the table says why. The same command tries them again."] if failed else []


def is_apart(apart: Json) -> bool:
    """Whether a difference is shown, corrected for the number of cells."""
    return bool(apart) and is_shown(apart)


def is_lead(found: Json) -> Callable[[Json], bool]:
    """Whether a row is the cell that leads."""
    return lambda row: row.get("name") == found.get("lead")


def shown_values(cell: Json) -> str:
    """`learning_rate 1e-05, epochs 2`."""
    values = dig(cell, "values").items()
    return ", ".join(f"{name.rpartition('.')[2]} {shown_value(value)}" for name, value in values)


def _value_column(name: str) -> Column:
    heading = name.rpartition(".")[2].replace("_", " ")
    return Column(heading, lambda row: _cell(dig(row, "values"), name), kind="text")


def _cell(values: Json, name: str) -> str:
    return shown_value(values[name]) if name in values else formats.MISSING
