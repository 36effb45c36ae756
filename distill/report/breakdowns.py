"""Tables that take the test rows apart: by class, by slice, by operating point of the positive class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from distill.report import formats
from distill.report.sheets import (
    Column,
    ModelRow,
    Report,
    Sheet,
    dig,
    label_names,
    model_rows,
    positive_label,
    role_heading,
)


def class_sheet(report: Report) -> Sheet:
    """F1 of each class at the largest probability, accuracy, and how good the probabilities are."""
    labels = label_names(report)
    columns = [
        Column("Model", lambda row: row.name, kind="name"),
        *(Column(label, _class_cell(label, "f1"), "F1 by class") for label in labels),
        Column("Accuracy", lambda row: formats.percent_interval(row.quality.get("accuracy")), "All classes"),
        Column("Macro F1", lambda row: formats.percent_interval(row.quality.get("f1_macro")), "All classes"),
        Column("Log loss", lambda row: _fixed(row.quality.get("log_loss")), "Probabilities"),
        Column("ECE", lambda row: formats.percent(row.quality.get("ece")), "Probabilities"),
    ]
    caption = "All test rows at the default decision: the most probable class. Percent, except log loss."
    return Sheet(caption, columns, _scored(report), role_heading)


def class_detail_sheet(report: Report) -> Sheet:
    """Precision and recall of each class."""
    parts = [(label, part) for label in label_names(report) for part in ("precision", "recall")]
    columns = [Column(part.capitalize(), _class_cell(label, part), label, f"{label}: {part}") for label, part in parts]
    name = Column("Model", lambda row: row.name, kind="name")
    return Sheet("Precision and recall of each class, percent.", [name, *columns], _scored(report), role_heading)


def slice_sheet(report: Report) -> Sheet:
    """Accuracy of every model in every slice."""
    rows = [row for row in _scored(report) if dig(row.quality, "slices")]
    names = list(dict.fromkeys(name for row in rows for name in dig(row.quality, "slices")))
    columns = [Column(_slice_heading(rows, name), _slice_cell(name)) for name in names]
    model = Column("Model", lambda row: row.name, kind="name")
    return Sheet("Accuracy by slice, percent.", [model, *columns], rows, role_heading)


def points_sheet(report: Report) -> Sheet:
    """Every operating point of the positive class: the threshold chosen on validation and what it gives on test."""
    rows = [row for row in _scored(report) if row.points]
    rules = list(dict.fromkeys(rule for row in rows for rule in row.points))
    columns = [column for rule in rules for column in _point_columns(rule)]
    caption = f"“{positive_label(report)}” against the rest on all test rows; thresholds chosen on validation."
    return Sheet(caption, [Column("Model", lambda row: row.name, kind="name"), *columns], rows, role_heading)


def _point_columns(rule: str) -> list[Column]:
    group = "Best F1" if rule == "f1" else rule
    parts = ("precision", "recall", "f1")
    return [
        Column("Threshold", _threshold_cell(rule), group, f"{group}: threshold"),
        *(Column(part.capitalize(), _point_cell(rule, part), group, f"{group}: {part}") for part in parts),
    ]


def _scored(report: Report) -> list[ModelRow]:
    return [row for row in model_rows(report) if row.quality]


def _class_cell(label: str, part: str) -> Callable[[ModelRow], str]:
    return lambda row: formats.percent(dig(row.quality, "per_class", label).get(part))


def _slice_cell(name: str) -> Callable[[ModelRow], str]:
    return lambda row: formats.percent_interval(dig(row.quality, "slices", name).get("accuracy"))


def _slice_heading(rows: Sequence[ModelRow], name: str) -> str:
    sizes = (dig(row.quality, "slices", name).get("rows") for row in rows)
    size = next((size for size in sizes if size is not None), None)
    return str(name) if size is None else f"{name} ({formats.integer(size)} rows)"


def _point_cell(rule: str, part: str) -> Callable[[ModelRow], str]:
    return lambda row: formats.percent(dig(row.points, rule).get(part))


def _threshold_cell(rule: str) -> Callable[[ModelRow], str]:
    return lambda row: (
        "not reached" if row.points.get(rule, ...) is None else _fixed(dig(row.points, rule).get("threshold"), 3)
    )


def _fixed(value: Any, decimals: int = 4) -> str:
    figure = formats.number(value)
    return formats.MISSING if figure is None else f"{figure:.{decimals}f}"
