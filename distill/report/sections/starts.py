"""What the models started from."""

from __future__ import annotations

from distill.report import starts
from distill.report.contents import Report
from distill.report.section import TableSection
from distill.report.table_model import Sheet


class Starts(TableSection):
    """Where each encoder began, and which layers it kept."""

    name, title, position = "starts", "Where the models start", 64

    def sheet(self, report: Report) -> Sheet:
        """Every encoder in one line."""
        return starts.start_sheet(report)


class Vocabularies(TableSection):
    """What a smaller vocabulary saved, and what it changes."""

    name, title, position = "vocabularies", "Trimmed vocabularies", 66

    def sheet(self, report: Report) -> Sheet:
        """Every trimmed start."""
        return starts.vocabulary_sheet(report)
