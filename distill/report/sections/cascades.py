"""What the stages of cascades labelled."""

from __future__ import annotations

from distill.core.output import for_html
from distill.report.cascade_table import cascade_sentence, cascade_sheet
from distill.report.contents import Report, entries
from distill.report.markup import element, table
from distill.report.section import Section


class Cascades(Section):
    """Coverage, accuracy and cost of each stage."""

    name, title, position = "cascades", "Stages of the cascade", 62

    def body(self, report: Report) -> str:
        """A sentence and a table for each cascade of the run."""
        return "".join(
            element("p", for_html(cascade_sentence(found))) + table(cascade_sheet(found))
            for found in entries(report, "cascades")
        )
