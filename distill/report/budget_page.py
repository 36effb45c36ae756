"""budget.html: quality against latency of the students that were trained for a bound, on one page without network."""

from __future__ import annotations

from pathlib import Path

from distill.core.files import Json
from distill.report import formats
from distill.report.budget_table import budget_sentences, candidates_sheet, trained_sheet
from distill.report.contents import dig, entries
from distill.report.cost_plot import Mark, cost_plot
from distill.report.studies.page import write_study_page


def write_budget_page(found: Json, path: Path) -> None:
    """Write the page. Args: found: the content of `budget.json`. Raises: UserError when it cannot be written."""
    sheets = [trained_sheet(found), candidates_sheet(found)]
    drawn = cost_plot(
        marks(found), str(found.get("metric")), f"{found.get('percentile')} of a request, ms", _bound(found)
    )
    write_study_page("The best student within a latency", budget_sentences(found), sheets, path, drawn)


def marks(found: Json) -> list[Mark]:
    """A mark for each trained file: its latency on other requests and its quality on validation, with intervals."""
    metric, percentile = str(found.get("metric")), str(found.get("percentile"))
    return [
        Mark(str(row.get("name")), dig(row, "held_out", percentile), dig(row, "valid", metric), bool(row.get("front")))
        for row in entries(found, "trained")
    ]


def _bound(found: Json) -> float | None:
    return formats.number(found.get("ms"))
