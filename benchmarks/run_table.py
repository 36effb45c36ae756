"""The main table of a run in few columns, one row for each model."""

from __future__ import annotations

from collections.abc import Sequence

from distill.evaluation.entries import LatencyRow
from distill.report import formats
from distill.report.contents import Report, dig, latency_of, other_twins
from distill.report.table_model import Column, ModelRow, Sheet, model_rows
from distill.report.tables import markdown


def markdown_models(report: Report, models: Sequence[str] = ()) -> str:
    """Models with macro F1, log loss and retention on all test rows, and the latency of their fastest exported file.

    Args: models: the rows, next to the controls; by default all models but exported files and twins that are worse than
        another one.
    """
    hidden = other_twins(report)
    rows = [row for row in model_rows(report) if row.model.role != "artifact" and row.name not in hidden]
    rows = [row for row in rows if not models or row.name in models or row.model.control]
    fastest = {row.name: _fastest_file(report, row.name) for row in rows}
    columns = [
        Column("Model", lambda row: row.name, kind="name"),
        Column("Macro F1", lambda row: formats.percent_interval(row.quality.get("f1_macro"), decimals=1)),
        Column("Log loss", lambda row: formats.fixed(row.quality.get("log_loss"), 4)),
        Column("Retention, card teacher", _retention),
        Column("Fastest file: p50, ms", lambda row: formats.three_digits(fastest[row.name].p50_ms)),
        Column("Speed-up", lambda row: formats.times(fastest[row.name].speedup_vs_teacher)),
    ]
    filled = [column for column in columns if any(column.cell(row) != formats.MISSING for row in rows)]
    return markdown(Sheet("", filled, rows))


def _fastest_file(report: Report, model: str) -> LatencyRow:
    """The latency of a model's fastest exported file at batch 1; empty without one."""
    files = [row for row in latency_of(report) if row.single and str(row.model).startswith(f"{model}.")]
    timed = [row for row in files if row.p50_ms is not None and not row.speed_only]
    return min(timed, key=lambda row: row.p50_ms or 0.0, default=LatencyRow())


def _retention(row: ModelRow) -> str:
    return formats.percent_interval(dig(row.model.retention).get("card"), decimals=1)
