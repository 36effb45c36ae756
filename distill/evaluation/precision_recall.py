"""Precision against recall of each class, at every threshold of its probability."""

from __future__ import annotations

import numpy as np

from distill.core.files import Json
from distill.evaluation.scored import Scored

MOST_CLASSES = 10
_POINTS = 60


def precision_recall(scored: Scored) -> dict[str, Json]:
    """The curve of each class against the rest; of over ten classes that of the positive one alone.

    Returns: by label `points`, at most 60 pairs of recall and precision, by rising recall, and `average_precision`,
        Σ (R_n − R_{n−1})·P_n over all thresholds. Labels that no row has are left out.
    """
    space, objective = scored.space, scored.space.objective
    chances = objective.probabilities(np.asarray(scored.logits, np.float64))
    gold = objective.gold_decisions(np.asarray(scored.target, np.float64))
    labels = space.labels if len(space.labels) <= MOST_CLASSES else [space.positive] if space.positive else []
    places = {label: space.labels.index(label) for label in labels}
    return {label: _curve(gold[:, at], chances[:, at]) for label, at in places.items() if gold[:, at].any()}


def _curve(gold: np.ndarray, chances: np.ndarray) -> Json:
    """Args: gold: bool (N,), with one at least. chances: (N,)."""
    from sklearn.metrics import average_precision_score, precision_recall_curve

    precision, recall, _ = precision_recall_curve(gold, chances)
    precision, recall = precision[-2::-1], recall[-2::-1]  # the last point is at no threshold
    shown = np.unique(np.linspace(0, len(recall) - 1, _POINTS).round().astype(np.int64))
    return {
        "average_precision": float(average_precision_score(gold, chances)),
        "points": [[round(float(recall[at]), 4), round(float(precision[at]), 4)] for at in shown],
    }
