"""How sentences call metrics, teachers and controls."""

from __future__ import annotations

from distill.core.files import Json
from distill.report.contents import Report, dig, models_of, positive_label

METRIC_NAMES = {"accuracy": "accuracy", "f1_macro": "macro F1", "f1_weighted": "weighted F1", "log_loss": "log loss"}
CONTROLS = {
    "card_teacher": "a teacher on cards",
    "gold_twins": "students on gold alone",
    "random": "answers by chance",
    "tfidf": "TF-IDF and a linear model on cards",
    "bag_of_tokens": "static embeddings and a small head on cards",
}
_ENSEMBLE = "ensemble"


def metric_name(metric: str, positive: object = None) -> str:
    """A metric as sentences call it: "macro F1". Args: positive: the positive class."""
    return METRIC_NAMES.get(metric, f"F1 of “{positive}”" if positive else metric)


def kept_in(report: Report, retention: Json) -> str:
    """The figure that a retention is in, as sentences call it."""
    return metric_name(str(retention.get("metric", "f1_macro")), positive_label(report))


def teacher_of(view: str, report: Report) -> str:
    """The teacher of a view that figures are held against; "the card teacher" for none.

    Older reports do not name it: there it is the ensemble, or the only teacher of that view.
    """
    nobody = f"the {view} teacher"
    if "references" in report:
        return str(dig(report, "references").get(view) or nobody)
    found = [model for model in models_of(report) if model.is_teacher and model.view == view]
    together = [model for model in found if model.preset == _ENSEMBLE]
    return together[0].name if together else found[0].name if len(found) == 1 else nobody
