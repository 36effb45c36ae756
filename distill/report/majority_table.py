"""Every model against the majority answer and the class priors, figure by figure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from distill.report import formats
from distill.report.contents import Report, dig
from distill.report.quality_tables import AT_MOST_PROBABLE
from distill.report.table_model import Column, ModelRow, Sheet, model_rows, role_heading


def majority_sheet(report: Report) -> Sheet:
    """Paired differences of each model to the majority answer; those that are not above it stand out."""
    rows = [row for row in model_rows(report) if row.model.over_majority]
    columns = [
        Column("Model", lambda row: row.name, kind="name"),
        Column("Accuracy", _apart("accuracy", 100, 2)),
        Column("Macro F1", _apart("f1_macro", 100, 2)),
        Column("Log loss", _apart("log_loss", 1, 4)),
    ]
    caption = (
        "Model − majority answer in points of accuracy and macro F1, model − class priors in log loss (negative is "
        f"better), paired, with 95% intervals, {AT_MOST_PROBABLE}; models that are not shown to be better in all three "
        f"stand out{', by p after Holm’s correction over the table' if _corrected(rows) else ''}."
    )
    return Sheet(caption, columns, rows, role_heading, lambda row: bool(row.model.shortfalls()))


def _corrected(rows: Sequence[ModelRow]) -> bool:
    return any(
        "p_holm" in dig(row.model.over_majority, metric) for row in rows for metric in row.model.over_majority or {}
    )


def _apart(metric: str, scale: float, decimals: int) -> Callable[[ModelRow], str]:
    def cell(row: ModelRow) -> str:
        apart = dig(row.model.over_majority, metric)
        return formats.signed_interval(apart.get("difference"), apart, scale, decimals)

    return cell
