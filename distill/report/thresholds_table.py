"""Of records with several labels: the figures where each label holds from a threshold of its own on."""

from __future__ import annotations

from typing import Any

from distill.report import formats
from distill.report.contents import Report, dig, label_names, other_twins
from distill.report.figure_columns import best_by
from distill.report.table_model import Column, ModelRow, Sheet, model_rows, role_heading

_FIGURES = {"accuracy": "All labels right", "f1_macro": "Macro F1", "f1_micro": "Micro F1"}


def at_thresholds_sheet(report: Report) -> Sheet:
    """All test rows at a threshold for each label beside 0.5 for all; no rows where one label holds."""
    columns = [
        Column("Model", lambda row: row.name, kind="name"),
        *(_column(key, head, ("at_thresholds",), "Threshold of each label") for key, head in _FIGURES.items()),
        *(_column(key, head, ("at_thresholds", "default"), "0.5 for all") for key, head in _FIGURES.items()),
    ]
    caption = (
        "All test rows, percent with 95% intervals: each label from the probability on that gave it the best F1 on "
        "validation, beside 0.5 for all. All labels right: the share of rows whose labels are exactly the gold ones."
    )
    return Sheet(caption, columns, _rows(report), role_heading)


def thresholds_sheet(report: Report) -> Sheet:
    """The threshold of each label and its F1 there: a row for each label, a column for each model."""
    columns = [Column("Class", str, kind="label"), *(_of_model(row) for row in _rows(report))]
    caption = "Threshold of each label, and its F1 in percent at it, on all test rows."
    return Sheet(caption, columns, label_names(report) if len(columns) > 1 else [])


def _rows(report: Report) -> list[ModelRow]:
    hidden = other_twins(report)
    return [row for row in model_rows(report) if dig(row.quality, "at_thresholds") and row.name not in hidden]


def _column(key: str, head: str, path: tuple[str, ...], group: str) -> Column:
    def value(row: ModelRow) -> Any:
        return dig(row.quality, *path).get(key)

    def cell(row: ModelRow) -> str:
        return formats.percent_interval(value(row))

    return Column(head, cell, group, f"{head}, {group}", figure=best_by(value, 4))


def _of_model(row: ModelRow) -> Column:
    def cell(label: str) -> str:
        least = formats.number(dig(row.model.class_thresholds).get(label))
        f1 = dig(row.quality, "at_thresholds", "per_class", label).get("f1")
        return formats.MISSING if least is None else f"{least:.3f}: {formats.percent(f1, 1)}"

    return Column(row.name, cell, role_heading(row), row.name)
