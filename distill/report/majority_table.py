"""Every model against the majority answer and the class priors, figure by figure."""

from __future__ import annotations

from collections.abc import Sequence

from distill.core.files import Json
from distill.evaluation.direction import LOWER_IS_BETTER
from distill.report import formats
from distill.report.contents import Report, dig
from distill.report.figure_columns import best_by
from distill.report.quality_tables import decision
from distill.report.table_model import Column, ModelRow, Sheet, model_rows, role_heading


def majority_sheet(report: Report) -> Sheet:
    """Paired differences of each model to the majority answer; those that are not above it stand out."""
    rows = [row for row in model_rows(report) if row.model.over_majority]
    columns = [
        Column("Model", lambda row: row.name, kind="name"),
        _column("Accuracy", "accuracy", 100, 2),
        _column("Macro F1", "f1_macro", 100, 2),
        _column("Log loss", "log_loss", 1, 4),
    ]
    caption = (
        "Model − majority answer in points of accuracy and macro F1, model − class priors in log loss (negative is "
        f"better), paired, with 95% intervals, at {decision(report)}; models that are not shown to be better in all "
        f"three stand out{', by p after Holm’s correction over the table' if _corrected(rows) else ''}."
    )
    return Sheet(caption, columns, rows, role_heading, lambda row: bool(row.model.shortfalls()))


def _corrected(rows: Sequence[ModelRow]) -> bool:
    return any(
        "p_holm" in dig(row.model.over_majority, metric) for row in rows for metric in row.model.over_majority or {}
    )


def _column(name: str, metric: str, scale: float, decimals: int) -> Column:
    def apart(row: ModelRow) -> Json:
        return dig(row.model.over_majority, metric)

    def cell(row: ModelRow) -> str:
        return formats.signed_interval(apart(row).get("difference"), apart(row), scale, decimals)

    best = best_by(lambda row: apart(row).get("difference"), 4)
    return Column(name, cell, figure=best, lower=metric in LOWER_IS_BETTER)
