"""Test rows alone beside test and validation rows together, where nothing was chosen on validation."""

from __future__ import annotations

from typing import Any

from distill.core.files import Json
from distill.report import formats
from distill.report.contents import Report, dig, other_twins, positive_label
from distill.report.figure_columns import best_by
from distill.report.table_model import Column, ModelRow, Sheet, model_rows, role_heading


def joined_sheet(report: Report) -> Sheet:
    """Accuracy and F1 of each model with half of their intervals' widths; no rows where the two were not joined."""
    hidden, label = other_twins(report), positive_label(report)
    rows = [row for row in model_rows(report) if row.model.joined and row.name not in hidden]
    paths: dict[str, tuple[str, ...]] = {"Accuracy": ("accuracy",), "Macro F1": ("f1_macro",)}
    if label is not None:
        paths[f"F1, {label}"] = ("per_class", label, "f1")
    columns = [Column("Model", lambda row: row.name, kind="name")]
    for head, path in paths.items():
        columns += [_column(head, path, joined=False), _column(head, path, joined=True)]
    counts = [formats.integer(dig(block).get("rows")) for row in rows[:1] for block in (row.quality, row.model.joined)]
    caption = "Percent ± half of the 95% interval; nothing was chosen on validation, so its rows may join the test."
    caption += " Accuracy: all classes." if label is not None else ""
    if counts:
        caption += f" Test: {counts[0]} rows, with validation: {counts[1]}."
    return Sheet(caption, columns, rows, role_heading)


def _column(head: str, path: tuple[str, ...], *, joined: bool) -> Column:
    def block(row: ModelRow) -> Json:
        return dig(row.model.joined if joined else row.quality, *path[:-1])

    def cell(row: ModelRow) -> str:
        found = block(row)
        return _with_half(found.get(path[-1]), found.get(f"{path[-1]}_interval"))

    name = "Test and validation" if joined else "Test"
    return Column(name, cell, head, f"{head}: {name.lower()}", figure=best_by(lambda row: block(row).get(path[-1]), 4))


def _with_half(value: Any, interval: Any) -> str:
    pair, text = formats.bounds(value if interval is None else interval), formats.percent(value)
    return text if pair is None or text == formats.MISSING else f"{text} ±{50 * (pair[1] - pair[0]):.2f}"
