"""What the students learned from, how each fit went, and what more rows bring."""

from __future__ import annotations

from distill.core.files import Json
from distill.core.output import for_html
from distill.report import borders_table, curves, labels_tables, training
from distill.report.contents import Report, dig, entries
from distill.report.markup import details, element, notes, table
from distill.report.scale_page import scale_figures
from distill.report.scale_table import scale_sentences, scale_sheet
from distill.report.scaling import SCALING
from distill.report.section import Section


class Labels(Section):
    """Whose labels the students learned."""

    name, title, position = "labels", "Labels", 60

    def body(self, report: Report) -> str:
        """What was taken and why, the candidates, and the labels against the gold-only twins."""
        sentence = labels_tables.choice_sentence(report)
        if not sentence:
            return ""
        warnings = [*labels_tables.worse_classes(report), *labels_tables.better_twins(report)]
        candidates = table(labels_tables.choice_sheet(report))
        teachers, by_class = labels_tables.teachers_sheet(report), labels_tables.class_weights_sheet(report)
        alone = "".join(table(sheet) for sheet in (teachers, by_class) if sheet.rows)
        pairs = details("Differences between the candidates", table(labels_tables.choice_pairs_sheet(report)))
        twins = table(labels_tables.asked_twins_sheet(report))
        warned = notes(warnings, class_="warnings")
        return element("p", for_html(sentence)) + warned + candidates + alone + pairs + twins


class Training(Section):
    """How each fit went."""

    name, title, position = "training", "Training", 70

    def body(self, report: Report) -> str:
        """Every fit in one line, borders where there are some, the curves, and every evaluation folded away."""
        drawn = "".join(_curve(fit) for fit in entries(report, "training_history"))
        curves_ = element("div", drawn, class_="figures") if drawn else ""
        each = details("Accuracy and each class after every evaluation", table(training.epochs_sheet(report)))
        sheets = table(training.training_sheet(report)) + table(borders_table.borders_sheet(report))
        return sheets + curves_ + each


class Scaling(Section):
    """What more rows of the pool bring."""

    name, title, position = "scaling", "More rows of the pool", 75

    def body(self, report: Report) -> str:
        """Where each student flattens, its curve, and every point; empty before `distill scale`."""
        found = dig(report, SCALING)
        return notes(scale_sentences(found)) + scale_figures(found) + table(scale_sheet(found)) if found else ""


def _curve(fit: Json) -> str:
    drawing, seed = curves.loss_curve(fit), f", seed {fit['seed']}" if "seed" in fit else ""
    note = f"{fit.get('model')}{seed}: {fit.get('reason')}"
    return element("figure", drawing + element("figcaption", for_html(note))) if drawing else ""
