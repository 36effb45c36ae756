"""Records that a file is not sure of, sent on to the teacher."""

from __future__ import annotations

from distill.core.output import for_html
from distill.evaluation.entries import FallThroughCurve
from distill.report.contents import Report
from distill.report.fall_through_plot import fall_through_plot
from distill.report.fall_through_table import curves_of, fall_through_sentence, fall_through_sheet, sent_rows
from distill.report.markup import details, element, table
from distill.report.section import Section

_NOTE = (
    "Bars are 95% intervals; the dashed line joins the file alone with the teacher alone, as sending at random would."
)


class FallThrough(Section):
    """Quality and mean cost against the share that is sent on."""

    name, title, position = "fall-through", "Records sent on to the teacher", 25

    def body(self, report: Report) -> str:
        """A sentence for each file, and folded away its drawing and its table."""
        return "".join(_of(curve) for curve in curves_of(report) if sent_rows(curve))


def _of(curve: FallThroughCurve) -> str:
    drawn = fall_through_plot(curve)
    figure = element("figure", drawn + element("figcaption", for_html(_NOTE))) if drawn else ""
    told = element("p", for_html(fall_through_sentence(curve)))
    return told + details(f"Each share of {curve.model}", figure + table(fall_through_sheet(curve)))
