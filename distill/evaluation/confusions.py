"""Which classes a model takes for which: the most frequent pairs of a gold class and the one that was predicted."""

from __future__ import annotations

import numpy as np

from distill.core.files import Json
from distill.evaluation.over_seeds import Seeded

MOST_PAIRS = 20


def confusions(model: Seeded) -> Json:
    """The most confused pairs of classes on some rows, most rows first, of equals in the order of the labels.

    A row counts for the pair of a gold class that was not predicted and a predicted class that is not gold; with one
    label per record that is a cell of the confusion matrix beside its diagonal.

    Returns: `pairs`, at most 20 `{"gold", "predicted", "rows", "share", "of_gold"}`: rows, the mean over seeds, as a
        share of all rows and of those with the gold class; `kinds`, how many different pairs occur.
    """
    labels, first = model.space.labels, model.scored[0]
    rows = np.mean([one.confused() for one in model.scored], axis=0)
    gold = model.space.objective.gold_decisions(np.asarray(first.target, np.float64)).sum(axis=0)
    order = [divmod(int(place), len(labels)) for place in np.argsort(-rows, axis=None, kind="stable")[:MOST_PAIRS]]
    return {
        "kinds": int((rows > 0).sum()),
        "pairs": [
            {
                "gold": labels[actual],
                "predicted": labels[predicted],
                "rows": float(rows[actual, predicted]),
                "share": float(rows[actual, predicted] / len(first)),
                "of_gold": float(rows[actual, predicted] / gold[actual]),
            }
            for actual, predicted in order
            if rows[actual, predicted] > 0
        ],
    }


def confusion_matrix(model: Seeded) -> list[list[float]]:
    """Rows by gold class and predicted class (C, C), the mean over seeds; of records with one label each."""
    objective = model.space.objective
    found = []
    for one in model.scored:
        gold = objective.gold_decisions(np.asarray(one.target, np.float64)).astype(np.float64)
        found.append(gold.T @ objective.decisions(np.asarray(one.logits, np.float64)))
    matrix: list[list[float]] = np.mean(found, axis=0).tolist()
    return matrix
