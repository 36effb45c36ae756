"""The pairs of classes that each model confuses most."""

from __future__ import annotations

from distill.core.files import Json
from distill.report import formats
from distill.report.contents import Report, dig, entries, other_twins
from distill.report.table_model import Column, ModelRow, Sheet, model_rows

_SHOWN = 5
_LEFT_OUT = ("artifact", "baseline")


def confusion_sheet(report: Report) -> Sheet:
    """The five most confused pairs of each teacher and student on all test rows; report.json has twenty of every model.

    Exported files, gold-only twins and other baselines are left out.
    """
    columns = [
        Column("Gold", lambda row: str(row[1].get("gold")), kind="label"),
        Column("Predicted", lambda row: str(row[1].get("predicted")), kind="label"),
        Column("Rows", lambda row: formats.integer(row[1].get("rows"))),
        Column("Of all rows, %", lambda row: formats.percent(row[1].get("share"))),
        Column("Of the gold class, %", lambda row: formats.percent(row[1].get("of_gold"))),
    ]
    hidden = other_twins(report)
    models = [row for row in model_rows(report) if row.model.role not in _LEFT_OUT and row.name not in hidden]
    rows = [(row, pair) for row in models for pair in entries(dig(row.quality, "confusions"), "pairs")[:_SHOWN]]
    caption = (
        f"Rows of one class that a model takes for another one, on all test rows: the {_SHOWN} most frequent pairs."
    )
    return Sheet(caption, columns, rows, _heading)


def _heading(row: tuple[ModelRow, Json]) -> str:
    model, kinds = row[0], dig(row[0].quality, "confusions").get("kinds")
    return f"{model.name}: {formats.integer(kinds)} different pairs"
