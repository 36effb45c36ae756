"""The distance of each student to the document teacher, in the part of the view and the part of the smaller model."""

from __future__ import annotations

from collections.abc import Callable

from distill.core.files import Json
from distill.evaluation.direction import unit
from distill.report import formats
from distill.report.contents import Report, dig, entries, positive_label
from distill.report.names import metric_name
from distill.report.table_model import Column, Sheet


def gap_sheet(report: Report) -> Sheet:
    """A row for each student and metric: view part, depth part, and the whole, which is their sum."""
    positive = positive_label(report)
    columns = [
        Column("Figure", lambda row: metric_name(str(row.get("metric")), positive), kind="text"),
        Column("View: card − document teacher", _part("view")),
        Column("Depth: student − card teacher", _part("depth")),
        Column("Whole: student − document teacher", _part("whole")),
        Column("Whole, p (Holm)", lambda row: formats.p_value(dig(row, "whole").get("p_holm")), spare=1),
    ]
    caption = (
        "What reading cards costs and what the smaller model costs, which add up to the whole: paired differences with "
        "95% intervals on the same rows, in points, of log loss in nats (there less is better)."
    )
    return Sheet(caption, columns, entries(report, "gaps"), lambda row: str(row.get("student")))


def _part(name: str) -> Callable[[Json], str]:
    def cell(row: Json) -> str:
        scale, decimals, _ = unit(row.get("metric"))
        return formats.signed_interval(dig(row, name).get("difference"), dig(row, name), scale, decimals + 1)

    return cell
