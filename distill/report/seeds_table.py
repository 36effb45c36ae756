"""A run over several seeds: how far a figure moves when only the training is repeated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from distill.report import formats
from distill.report.contents import Report, dig, positive_label
from distill.report.quality_tables import decision
from distill.report.table_model import Column, ModelRow, Sheet, model_rows, role_heading


def spread_sheet(report: Report) -> Sheet:
    """The lowest and the highest seed of each model's figures; without rows where seeds are not repeated."""
    positive = positive_label(report)
    one_class = [Column(f"F1, {positive}", _class_f1(positive))] if positive else []
    columns = [
        Column("Model", lambda row: row.name, kind="name"),
        *one_class,
        Column("Macro F1", _figure("f1_macro")),
        Column("Accuracy", _figure("accuracy")),
        Column("Log loss", lambda row: _range(dig(row.quality, "log_loss").get("spread"), scale=1, decimals=4)),
        *(Column(f"Retention, {view} teacher", _retention(view)) for view in ("document", "card")),
    ]
    rows = [row for row in model_rows(report) if dig(row.quality, "f1_macro").get("spread")]
    what = f"Lowest and highest of {_seeds(report)}, at {decision(report)}"
    return Sheet(f"{what}; percent, log loss as it is; the means are above.", columns, rows, role_heading)


def _seeds(report: Report) -> str:
    return f"seeds {', '.join(map(str, report.get('seeds') or []))}"


def _class_f1(label: str) -> Callable[[ModelRow], str]:
    return lambda row: _range(dig(row.quality, "per_class", label).get("f1_spread"))


def _figure(name: str) -> Callable[[ModelRow], str]:
    return lambda row: _range(dig(row.quality, name).get("spread"))


def _retention(view: str) -> Callable[[ModelRow], str]:
    return lambda row: _range(dig(row.model.retention, view).get("spread"))


def _range(spread: Any, scale: float = 100, decimals: int = 2) -> str:
    ends = formats.bounds(spread)
    return formats.MISSING if ends is None else "–".join(f"{scale * end:.{decimals}f}" for end in ends)
