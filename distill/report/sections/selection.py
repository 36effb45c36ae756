"""The rows of the pool that students learned from."""

from __future__ import annotations

from distill.core.output import for_html
from distill.report.contents import Report, dig
from distill.report.markup import element, table
from distill.report.section import Section
from distill.report.selection_table import selection_sentence, selection_sheet


class Selection(Section):
    """What was selected of the labelled pool."""

    name, title, position = "selection", "Selected pool rows", 65

    def body(self, report: Report) -> str:
        """How many rows, and their distributions before and after."""
        found = dig(report, "selection")
        return element("p", for_html(selection_sentence(found))) + table(selection_sheet(found)) if found else ""
