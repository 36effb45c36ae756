"""What linear models share: weights and an intercept of each class."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.core.activations import sigmoid
from distill.core.objectives.multi_label import MultiLabel
from distill.evaluation.metrics import FloatArray
from distill.models.classical.base import WORTH, Arrays, Classical, Examples

LEAST = 1e-6  # probability of a class that was never seen


class Alone:
    """Each of some classes by itself, with the attributes of scikit-learn's linear models.

    Args: coef_: float64 (R, F). intercept_: (R,). classes_: (R,), the columns that they are about. together: whether
        the probabilities of a row are divided by their sum; without, its rows may have several classes.
    """

    def __init__(
        self, coef_: FloatArray, intercept_: FloatArray, classes_: NDArray[np.int64], *, together: bool = False
    ) -> None:
        self.coef_, self.intercept_, self.classes_, self.together = coef_, intercept_, classes_, together

    def predict_proba(self, features: Any) -> FloatArray:
        """The probability (N, R) of each."""
        chances: FloatArray = sigmoid(np.asarray(features @ self.coef_.T) + self.intercept_)
        return chances / np.maximum(chances.sum(axis=1, keepdims=True), LEAST) if self.together else chances


class Linear(Classical):
    """A model whose fitted form has `coef_`, `intercept_` and `classes_`; of two classes the last row is the second's.

    What it answers where all rows have one class, or a label is on all rows or none, needs no weight.
    """

    def each(self, features: Any, targets: FloatArray) -> Alone:
        """As of the base; a label that all rows have, or none, by its share alone."""
        weights, intercepts = np.zeros((targets.shape[1], features.shape[1])), np.zeros(targets.shape[1])
        for label, shares in enumerate(targets.T):
            if shares.max() <= WORTH or shares.min() >= 1 - WORTH:
                intercepts[label] = MultiLabel().logits(shares.mean(), LEAST)
            else:
                model: Any = self.among(Examples.of(features, np.stack([1 - shares, shares], axis=1)))
                weights[label], intercepts[label] = model.coef_[-1], model.intercept_[-1]
        return Alone(weights, intercepts, np.arange(len(intercepts)))

    @staticmethod
    def arrays(fitted: Any) -> Arrays:
        """Weights, intercepts, classes."""
        return {"weights": fitted.coef_, "intercepts": fitted.intercept_, "classes": fitted.classes_}


def only_class(features: Any, known: NDArray[np.int64]) -> Alone:
    """The same answer for every row, where there is one class to learn. Args: features: (N, F). known: that class."""
    return Alone(np.zeros((1, features.shape[1])), -np.log([LEAST]), known)
