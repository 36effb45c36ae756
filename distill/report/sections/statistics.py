"""What the comparisons of models come to, what calibration does, and whether validation can be trusted."""

from __future__ import annotations

from distill.core.output import for_html
from distill.report.calibration_table import calibration_sentence, calibration_sheet, drawings_before
from distill.report.contents import Report
from distill.report.gap_table import gap_sheet
from distill.report.markup import details, element, table
from distill.report.order_table import order_sheet
from distill.report.section import Section, TableSection
from distill.report.table_model import Sheet


class Gap(TableSection):
    """The distance of each student to the document teacher, taken apart."""

    name, title, position = "gap", "View and depth", 82

    def sheet(self, report: Report) -> Sheet:
        """The view's part, the smaller model's part, and their sum."""
        return gap_sheet(report)


class Calibration(Section):
    """Probabilities before and after calibration."""

    name, title, position = "calibration", "Calibration", 113

    def body(self, report: Report) -> str:
        """The table, what validation would choose, and folded away each reliability diagram without calibration."""
        told, drawn = calibration_sentence(report), drawings_before(report)
        figures = details("Reliability without calibration", element("div", drawn, class_="figures")) if drawn else ""
        return (element("p", for_html(told)) if told else "") + table(calibration_sheet(report)) + figures


class ValidationOrder(TableSection):
    """Models by their figures on validation and on test."""

    name, title, position = "validation-order", "Validation and test", 95

    def sheet(self, report: Report) -> Sheet:
        """Figure and place of each model on both."""
        return order_sheet(report)
