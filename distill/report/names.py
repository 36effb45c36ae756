"""How sentences call metrics, teachers and controls."""

from __future__ import annotations

from collections.abc import Sequence

from distill.evaluation.entries import ModelFigures

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


def teacher_of(view: str, models: Sequence[ModelFigures]) -> str:
    """The teacher of a view: the ensemble, or the only one trained on it; "the card teacher" for none or several."""
    found = [model for model in models if model.is_teacher and model.view == view]
    together = [model for model in found if model.preset == _ENSEMBLE]
    return together[0].name if together else found[0].name if len(found) == 1 else f"the {view} teacher"
