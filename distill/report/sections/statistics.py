"""What comparisons come to, what calibration does, whether validation can be trusted, and classes in full."""

from __future__ import annotations

from distill.core.output import for_html
from distill.report.calibration_table import calibration_sentence, calibration_sheet, drawings_before
from distill.report.confusion_matrix_table import confusion_matrix_sheet
from distill.report.contents import Report
from distill.report.gap_table import gap_sheet
from distill.report.judged_labels import judged_sentences, judged_sheets
from distill.report.markup import details, element, table
from distill.report.order_table import order_sheet
from distill.report.precision_recall_plot import average_precision_sheet, drawings
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


class PrecisionRecall(Section):
    """Precision against recall of each class."""

    name, title, position = "precision-recall", "Precision and recall", 111

    def body(self, report: Report) -> str:
        """A drawing for each class, and the average precision of each model."""
        drawn = drawings(report)
        return (element("div", drawn, class_="figures") if drawn else "") + table(average_precision_sheet(report))


class ConfusionMatrix(TableSection):
    """Every cell of the confusion matrices."""

    name, title, position = "confusion-matrix", "Confusion matrices", 116

    def sheet(self, report: Report) -> Sheet:
        """The models side by side in each gold class."""
        return confusion_matrix_sheet(report)


class JudgedLabels(Section):
    """Gold labels that a judge has read blind."""

    name, title, position = "judged-labels", "Labels judged blind", 118

    def body(self, report: Report) -> str:
        """For each sheet that came back how many labels are wrong, and every model on both verdicts."""
        told = zip(judged_sentences(report), judged_sheets(report), strict=True)
        return "".join(element("p", for_html(sentence)) + table(sheet) for sentence, sheet in told)
