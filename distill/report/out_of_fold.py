"""Quality out of fold next to that on the test rows."""

from __future__ import annotations

from collections.abc import Iterator

from distill.core.files import Json
from distill.report import formats
from distill.report.contents import Report, dig, entries, models_of
from distill.report.table_model import Column, Sheet


def out_of_fold_sheet(report: Report) -> Sheet:
    """For each teacher with folds: their fits on training rows that they have not seen, and their mean on test rows."""
    columns = [
        Column("Model", lambda row: str(row.get("model")), kind="name"),
        Column("Measured on", lambda row: row["on"], kind="text"),
        Column("Rows", lambda row: formats.integer(row.get("rows"))),
        Column("Accuracy", lambda row: formats.percent_interval(row.get("accuracy"))),
        Column("Macro F1", lambda row: formats.percent_interval(row.get("f1_macro"))),
        Column("Log loss", lambda row: formats.metric_interval("log_loss", row.get("log_loss"))),
    ]
    caption = (
        "Out of fold each training row is answered by one model, fitted without it; a test row by the mean of all. "
        "Percent but for log loss, with 95% intervals."
    )
    return Sheet(caption, columns, list(_rows(report)))


def _rows(report: Report) -> Iterator[Json]:
    quality = {model.name: dig(model.quality) for model in models_of(report)}
    for one in entries(report, "out_of_fold"):
        yield {**one, "on": f"training rows, out of {one.get('folds')} folds"}
        yield {**quality.get(str(one.get("model")), {}), "model": one.get("model"), "on": "test rows"}
