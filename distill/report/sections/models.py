"""What the models are worth: the main table, its baselines, and the test rows taken apart."""

from __future__ import annotations

from distill.core.output import for_html
from distill.report import (
    breakdown_tables,
    confusion_table,
    disagreement_tables,
    joined_table,
    majority_table,
    out_of_fold,
    plots,
    quality_tables,
    reliability_plot,
    seeds_table,
    slice_plot,
    thresholds_table,
    twins_table,
    verdict,
)
from distill.report.contents import Report, entries, label_names, models_of, positive_label, tests_of
from distill.report.markup import details, element, table
from distill.report.section import Section, TableSection
from distill.report.table_model import Sheet

_UNFOLDED_CLASSES = 12


class Quality(TableSection):
    """The main table; the model to take stands out."""

    name, title, position = "quality", "Quality and speed", 10

    def sheet(self, report: Report) -> Sheet:
        """Size, quality, retention and latency of each model."""
        best = verdict.headline_model(report)
        return quality_tables.quality_sheet(report, marked=None if best is None else best.name)


class TradeOff(Section):
    """The plot of quality against latency."""

    name, title, position = "trade-off", "Quality against latency", 20

    def body(self, report: Report) -> str:
        """The drawing for wide and for narrow screens."""
        points, axis = plots.measured_points(report), plots.quality_name(report)
        if not points:
            return ""
        # A drawing scaled down to a phone has letters nobody can read: each width gets its own, the style shows one.
        wide = element("div", plots.scatter(points, axis), class_="wide")
        narrow = element("div", plots.scatter(points, axis, width=370, height=440), class_="narrow")
        note = (
            "Up and to the left is better. Upright bars are 95% intervals, those to the right lead to p99, or p95; the "
            "thin line joins the models than which none is both faster and better, the dashed one is the best teacher."
        )
        return element("figure", plots.legend(points) + wide + narrow + element("figcaption", for_html(note)))


class Majority(TableSection):
    """Every model against the majority answer."""

    name, title, position = "majority", "Against the majority answer", 40

    def sheet(self, report: Report) -> Sheet:
        """Paired differences of each model."""
        return majority_table.majority_sheet(report)


class Twins(TableSection):
    """The gold-only twins of each student."""

    name, title, position = "twins", "Gold-only twins", 50

    def sheet(self, report: Report) -> Sheet:
        """Both twins, and which was taken."""
        return twins_table.twin_sheet(report)


class OutOfFold(TableSection):
    """Teachers measured on training rows that they were not fitted on."""

    name, title, position = "out-of-fold", "Out of fold", 55

    def sheet(self, report: Report) -> Sheet:
        """Out of fold, and on test rows."""
        return out_of_fold.out_of_fold_sheet(report)


class Comparisons(TableSection):
    """Models compared on the same rows."""

    name, title, position = "comparisons", "Comparisons", 80

    def sheet(self, report: Report) -> Sheet:
        """Paired differences."""
        return quality_tables.comparison_sheet(report)


class Seeds(TableSection):
    """How far the seeds are apart."""

    name, title, position = "seeds", "Over the seeds", 90

    def sheet(self, report: Report) -> Sheet:
        """The lowest and the highest seed of each figure."""
        return seeds_table.spread_sheet(report)


class Tests(Section):
    """Quality on each test."""

    name, title, position = "tests", "Each test", 100

    def body(self, report: Report) -> str:
        """One table for each test."""
        return "".join(table(quality_tables.per_test_sheet(report, test)) for test in tests_of(report))


class Joined(TableSection):
    """Validation rows joined with the test."""

    name, title, position = "joined", "Test and validation together", 105

    def sheet(self, report: Report) -> Sheet:
        """Each figure on test alone and on both."""
        return joined_table.joined_sheet(report)


class Classes(Section):
    """Quality in each class."""

    name, title, position = "classes", "Each class", 110

    def body(self, report: Report) -> str:
        """All classes together, then F1, precision and recall of each; of many classes folded away."""
        together = table(breakdown_tables.chances_sheet(report))
        each, detail = table(breakdown_tables.class_sheet(report)), table(breakdown_tables.class_detail_sheet(report))
        if len(label_names(report)) > _UNFOLDED_CLASSES:
            each = details(f"F1 of each of {len(label_names(report))} classes", each)
        return together + each + details("Precision and recall", detail)


class Confusions(TableSection):
    """Which classes are taken for which."""

    name, title, position = "confusions", "Confused classes", 115

    def sheet(self, report: Report) -> Sheet:
        """The most frequent pairs of each model."""
        return confusion_table.confusion_sheet(report)


class Reliability(Section):
    """How often models are right where they say how sure they are."""

    name, title, position = "reliability", "Reliability", 112

    def body(self, report: Report) -> str:
        """A drawing for each model; those of exported files and baselines folded away."""
        drawn = {name: reliability_plot.figure(name, bins) for name, bins in reliability_plot.bins_of(report).items()}
        roles = {model.name: model.role for model in models_of(report)}
        first = "".join(one for name, one in drawn.items() if roles.get(name) in ("teacher", "student"))
        others = "".join(one for name, one in drawn.items() if roles.get(name) not in ("teacher", "student"))
        if not drawn:
            return ""
        told = element("p", for_html(reliability_plot.NOTE), class_="note")
        others = element("div", others, class_="figures") if others else ""
        return told + element("div", first, class_="figures") + details("Exported files and baselines", others)


class Disagreements(Section):
    """Where students and the document teacher differ."""

    name, title, position = "disagreements", "Disagreements with the teacher", 117

    def body(self, report: Report) -> str:
        """Who was right, then a sentence and a table for each student."""
        return table(disagreement_tables.right_sheet(report)) + "".join(
            element("p", for_html(disagreement_tables.disagreement_sentence(found)))
            + details("Rows where both are surest", table(disagreement_tables.disagreement_sheet(found)))
            for found in disagreement_tables.disagreements_of(report)
        )


class Slices(Section):
    """Accuracy in each slice, and each student against the document teacher there."""

    name, title, position = "slices", "Each slice", 120

    def body(self, report: Report) -> str:
        """The model to take beside the old one, or the teacher, then a column for each slice."""
        apart = "".join(table(breakdown_tables.slice_rows_sheet(one)) for one in entries(report, "slices_apart"))
        return slice_plot.figure(report) + table(breakdown_tables.slice_sheet(report)) + apart


class ClassThresholds(Section):
    """The threshold of each label, where a record may have several."""

    name, title, position = "class-thresholds", "Thresholds of each label", 125

    def body(self, report: Report) -> str:
        """All labels together at their thresholds and at 0.5, then each."""
        together = table(thresholds_table.at_thresholds_sheet(report))
        return together + details("Each label", table(thresholds_table.thresholds_sheet(report)))


class OperatingPoints(Section):
    """The thresholds of the positive class."""

    name, title, position = "points", "Operating points", 130

    def body(self, report: Report) -> str:
        """Every operating point with its figures."""
        return "" if positive_label(report) is None else table(breakdown_tables.points_sheet(report))
