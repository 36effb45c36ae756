"""What the comparisons of models come to."""

from __future__ import annotations

from distill.report.contents import Report
from distill.report.gap_table import gap_sheet
from distill.report.section import TableSection
from distill.report.table_model import Sheet


class Gap(TableSection):
    """The distance of each student to the document teacher, taken apart."""

    name, title, position = "gap", "View and depth", 82

    def sheet(self, report: Report) -> Sheet:
        """The view's part, the smaller model's part, and their sum."""
        return gap_sheet(report)
