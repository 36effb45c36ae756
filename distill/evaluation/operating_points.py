"""Thresholds for the positive class: chosen on validation, measured elsewhere.

A row counts as positive when its probability of the positive class, one against the rest, is at or above the threshold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from distill.evaluation.metrics import BoolArray, FloatArray, f1_score


def choose(
    valid_probability: ArrayLike, valid_positive: ArrayLike, precision_at_least: float, recall_at_least: float
) -> dict[str, float | None]:
    """Three thresholds from validation rows: best F1, best recall at a precision, best precision at a recall.

    Equal bests: F1 and `recall@P` take the more precise threshold, `precision@R` the one with more recall. The order of
    the rows never matters.

    Args: valid_probability: (N,) of the positive class. valid_positive: bool (N,). precision_at_least, recall_at_least:
        the least allowed, shares in [0, 1].
    Returns: `{"f1": …, "recall@P>=x": …, "precision@R>=y": …}`; None where no threshold with that share finds a
        positive row.
    Raises: ValueError when the shapes differ.
    """
    curve = _curve(*_checked(valid_probability, valid_positive))
    return {
        "f1": curve.best(curve.f1, curve.precision, curve.recall > 0),
        f"recall@P>={precision_at_least}": curve.best(
            curve.recall, curve.precision, (curve.precision >= precision_at_least) & (curve.recall > 0)
        ),
        f"precision@R>={recall_at_least}": curve.best(
            curve.precision, curve.recall, (curve.recall >= recall_at_least) & (curve.recall > 0)
        ),
    }


def measured(probability: ArrayLike, positive: ArrayLike, threshold: float) -> dict[str, float]:
    """Accuracy, precision, recall and F1 of `probability >= threshold`; 0 where one is undefined.

    Args: probability: (N,) on the rows to report. positive: bool (N,). threshold: chosen on other rows.
    Raises: ValueError when the shapes differ or there are no rows.
    """
    chances, actual = _checked(probability, positive)
    if not len(actual):
        raise ValueError("an operating point needs rows to be measured on")
    predicted = chances >= threshold
    true_positives, predicted_rows, actual_rows = (
        float(rows.sum()) for rows in (predicted & actual, predicted, actual)
    )
    return {
        "threshold": float(threshold),
        "accuracy": float((predicted == actual).mean()),
        "precision": true_positives / predicted_rows if predicted_rows else 0.0,
        "recall": true_positives / actual_rows if actual_rows else 0.0,
        "f1": 2 * true_positives / (predicted_rows + actual_rows) if predicted_rows + actual_rows else 0.0,
    }


@dataclass(frozen=True)
class _Curve:
    """What every distinct threshold gives, from the highest to the lowest; all float64 (K,)."""

    threshold: FloatArray
    precision: FloatArray
    recall: FloatArray
    f1: FloatArray

    def best(self, wanted: FloatArray, then: FloatArray, allowed: BoolArray) -> float | None:
        """The allowed threshold with the most `wanted`, then `then`, then the highest; None where none is allowed."""
        if not allowed.any():
            return None
        order = np.lexsort((self.threshold[allowed], then[allowed], wanted[allowed]))
        return float(self.threshold[allowed][order[-1]])


def _curve(probability: FloatArray, positive: BoolArray) -> _Curve:
    scores, group = np.unique(-probability, return_inverse=True)
    true_positives = np.cumsum(np.bincount(group, positive, len(scores))).astype(np.float64)
    predicted = np.cumsum(np.bincount(group, minlength=len(scores))).astype(np.float64)
    actual = np.full(len(scores), float(positive.sum()))
    recall = np.divide(true_positives, actual, out=np.zeros(len(scores)), where=actual > 0)
    f1 = f1_score(true_positives, predicted, actual)
    return _Curve(_between(-scores), true_positives / predicted, recall, f1)


def _between(scores: FloatArray) -> FloatArray:
    """Midway from each score (descending) to the next lower one, or to 0: rounding of a score cannot move it across."""
    lower = np.append(scores[1:], 0.0)
    middle = lower + (scores - lower) / 2
    # Two neighbouring floats have no midpoint: rounding may fall on the lower one, which must stay outside.
    return np.where(middle > lower, middle, scores)


def _checked(probability: ArrayLike, positive: ArrayLike) -> tuple[FloatArray, BoolArray]:
    chances, actual = np.asarray(probability, np.float64), np.asarray(positive, np.bool_)
    if chances.ndim != 1 or chances.shape != actual.shape:
        raise ValueError(f"probability and positive must both be (N,), got {chances.shape} and {actual.shape}")
    return chances, actual
