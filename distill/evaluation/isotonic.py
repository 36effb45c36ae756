"""Isotonic calibration: of each class the rising step function of its probability that fits validation best."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from distill.core.objectives.objective import Objective
from distill.evaluation.metrics import FloatArray

FEWEST_ROWS = 1000
"""Validation rows under which it is not tried. Niculescu-Mizil & Caruana 2005, "Predicting Good Probabilities with
Supervised Learning", ICML, section 5: with fewer it overfits."""


def fit_isotonic(logits: FloatArray, target: FloatArray, objective: Objective) -> Callable[[FloatArray], FloatArray]:
    """What makes logits (M, K) of other rows into calibrated ones.

    Each class against the rest, then divided by their sum where one label holds. Departure: steps are kept 1/(N + 2)
    from 0 and 1, as N rows cannot say that something never happens.
    Sources: Zadrozny & Elkan 2002, "Transforming Classifier Scores into Accurate Multiclass Probability Estimates",
    KDD; Laplace's rule of succession for the ends.

    Args: logits, target: (N, K) and (N, C) of validation.
    """
    from sklearn.isotonic import IsotonicRegression

    said = objective.probabilities(np.asarray(logits, np.float64))
    gold, least = np.asarray(target, np.float64), 1 / (len(said) + 2)
    steps = [
        IsotonicRegression(y_min=least, y_max=1 - least, out_of_bounds="clip").fit(said[:, place], gold[:, place])
        for place in range(gold.shape[1])
    ]

    def apply(others: FloatArray) -> FloatArray:
        chances = objective.probabilities(np.asarray(others, np.float64))
        found = np.stack([step.predict(chances[:, place]) for place, step in enumerate(steps)], axis=1)
        shares = found if objective.several else found / found.sum(axis=1, keepdims=True)
        return np.asarray(objective.logits(shares), np.float64)

    return apply
