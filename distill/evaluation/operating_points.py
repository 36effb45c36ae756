"""Thresholds for the positive class: chosen on validation, measured elsewhere.

A row counts as positive when its probability of the positive class, one against the rest, is at or above the threshold.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distill.evaluation.metrics import BoolArray, FloatArray, f1_score
from distill.evaluation.ratio import ratio


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
    chances, actual = _checked(valid_probability, valid_positive)
    found = Curves(chances, actual).best(np.ones((1, len(chances))), precision_at_least, recall_at_least)
    return {name: None if np.isnan(one[0]) else float(one[0]) for name, one in found.items()}


def measured(probability: ArrayLike, positive: ArrayLike, threshold: float) -> dict[str, float]:
    """Accuracy, precision, recall and F1 of `probability >= threshold`; 0 where one is undefined.

    Args: probability: (N,) on the rows to report. positive: bool (N,). threshold: chosen on other rows.
    Raises: ValueError when the shapes differ or there are no rows.
    """
    chances, actual = _checked(probability, positive)
    if not len(actual):
        raise ValueError("an operating point needs rows to be measured on")
    predicted = chances >= threshold
    columns = counts(predicted, actual).sum(axis=0)
    return {"threshold": float(threshold), **{name: float(figure(columns)) for name, figure in FIGURES.items()}}


def counts(predicted: BoolArray, actual: BoolArray) -> FloatArray:
    """What the `FIGURES` add up, (N, 4): of each row whether it is a true positive, predicted, actual; and 1."""
    return np.stack([predicted & actual, predicted, actual, np.ones(len(actual))], axis=1).astype(np.float64)


def _accuracy(sums: FloatArray) -> FloatArray:
    true_positives, predicted, actual, rows = np.moveaxis(sums, -1, 0)
    return ratio(rows - predicted - actual + 2 * true_positives, rows)


FIGURES: dict[str, Callable[[FloatArray], FloatArray]] = {
    "accuracy": _accuracy,
    "precision": lambda sums: ratio(sums[..., 0], sums[..., 1]),
    "recall": lambda sums: ratio(sums[..., 0], sums[..., 2]),
    "f1": lambda sums: f1_score(sums[..., 0], sums[..., 1], sums[..., 2]),
}
"""The figures of an operating point, each from sums (..., 4) of `counts`; 0 where one is undefined."""


class Curves:
    """What every distinct threshold of N rows gives when the rows are drawn again.

    Args: probability: (N,) of the positive class. positive: bool (N,).

    Attributes: thresholds: those that a draw may choose, descending. Any other lets in no positive row that the one
        above it does not: on no draw is it better.
    """

    def __init__(self, probability: FloatArray, positive: BoolArray) -> None:
        self._order = np.argsort(-probability, kind="stable")
        scores = probability[self._order]
        self._positive = positive[self._order]
        last = np.flatnonzero(np.append(scores[1:] != scores[:-1], True)) if len(scores) else np.arange(0)
        finds = np.diff(np.cumsum(self._positive)[last], prepend=0) > 0
        self._last, self.thresholds = last[finds], between(scores[last])[finds]

    def best(
        self, weights: NDArray[np.generic], precision_at_least: float, recall_at_least: float
    ) -> dict[str, FloatArray]:
        """The thresholds of `choose` on each draw, (r,); NaN where none is good enough there.

        Args: weights: how often each row is drawn, (r, N).
        """
        drawn = weights[:, self._order].astype(np.int32)
        running = np.cumsum(drawn * self._positive, axis=1), np.cumsum(drawn, axis=1)
        true_positives, predicted = (sums[:, self._last].astype(np.float64) for sums in running)
        actual = true_positives[:, -1:] if len(self._last) else np.zeros((len(drawn), 1))
        precision, recall = ratio(true_positives, predicted), ratio(true_positives, actual)
        f1, found = f1_score(true_positives, predicted, np.broadcast_to(actual, predicted.shape)), recall > 0
        precise, recalled = (precision >= precision_at_least) & found, (recall >= recall_at_least) & found
        return {
            "f1": self._best(f1, precision, found),
            f"recall@P>={precision_at_least}": self._best(recall, precision, precise),
            f"precision@R>={recall_at_least}": self._best(precision, recall, recalled),
        }

    def _best(self, wanted: FloatArray, then: FloatArray, allowed: BoolArray) -> FloatArray:
        """The allowed threshold with the most `wanted`, then `then`, then the highest; NaN where none is allowed."""
        if not allowed.shape[1]:
            return np.full(len(allowed), np.nan)
        most = np.where(allowed, wanted, -1.0)
        best = most == most.max(axis=1, keepdims=True)
        first = np.where(best & allowed, then, -1.0).argmax(axis=1)
        return np.where(allowed.any(axis=1), self.thresholds[first], np.nan)


def between(scores: FloatArray) -> FloatArray:
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
