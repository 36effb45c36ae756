"""Both gold-only twins of each student: which one it is compared with, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from distill.report import formats
from distill.report.contents import Report, dig
from distill.report.figure_columns import LOG_LOSS, PERCENT, Shown, best_by
from distill.report.quality_tables import decision
from distill.report.table_model import Column, ModelRow, Sheet, model_rows

Pair = tuple[str, ModelRow, bool]


def twin_sheet(report: Report) -> Sheet:
    """Validation and test figures of every twin, by student; the one taken stands out."""
    models = {row.name: row for row in model_rows(report)}
    rows: list[Pair] = [
        (str(student), models[name], name == pair.get("best"))
        for student, pair in dig(report, "twins").items()
        if isinstance(pair, Mapping)
        for name in (str(pair.get("best")), *_other(pair))
        if name in models
    ]
    columns = [
        Column("Twin", lambda row: row[1].name, kind="name"),
        Column("Log loss on validation", lambda row: formats.fixed(dig(row[1].model.valid).get("log_loss"), 4)),
        _column("Accuracy", "accuracy", PERCENT),
        _column("Macro F1", "f1_macro", PERCENT),
        _column("Log loss", "log_loss", LOG_LOSS, "Log loss on test"),
        Column("Taken", _taken, kind="text"),
    ]
    caption = (
        "The same student trained on gold labels alone; the one with the lower log loss on validation is taken. "
        f"Figures at {decision(report)}."
    )
    return Sheet(caption, columns, rows, lambda row: f"Twins of {row[0]}", lambda row: row[2])


def _column(name: str, figure: str, how: Shown, alone: str = "") -> Column:
    best = best_by(lambda row: row[1].quality.get(figure), 4)

    def cell(row: Pair) -> str:
        return how.text(row[1].quality, (figure,))

    return Column(name, cell, "All test rows", alone, figure=best, lower=how.lower)


def _other(pair: Mapping[str, Any]) -> list[str]:
    names = pair.get("other")
    return [str(name) for name in names] if isinstance(names, list) else []


def _taken(row: Pair) -> str:
    return "yes: lowest log loss on validation" if row[2] else "no"
