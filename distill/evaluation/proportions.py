"""Shares of right answers with their intervals, from counts alone: no resampling, so they hold for few rows too."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np

from distill.evaluation.metrics import FloatArray
from distill.evaluation.statistics import Interval

_HALVINGS = 60
_Z = NormalDist().inv_cdf(0.975)


def wilson(share: float, rows: float) -> Interval:
    """A share with its 95% interval of Wilson: `{"value", "low", "high"}`, all None without rows.

    Args: rows: how many it was counted on; of weighted rows the effective number, which is no whole one.
    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference", JASA 22 (158):
        (p + z²/2n ± z·√(p(1 − p)/n + z²/4n²)) / (1 + z²/n).
    """
    if rows <= 0:
        return {"value": None, "low": None, "high": None}
    spread = _Z**2 / rows
    centre = (share + spread / 2) / (1 + spread)
    half = _Z * math.sqrt(share * (1 - share) / rows + spread / (4 * rows)) / (1 + spread)
    return {"value": share, "low": max(0.0, min(share, centre - half)), "high": min(1.0, max(share, centre + half))}


def effective_rows(weights: FloatArray) -> float:
    """How many equally weighted rows tell as much as these: (Σw)² / Σw²; 0 without rows.

    Source: Kish 1965, "Survey Sampling", section 8.2.
    """
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0


def exact_lower(right: int, rows: int, risk: float) -> float:
    """The share that `right` of `rows` right answers leave no doubt of, at this risk: the p with P(X ≥ right) = risk.

    Source: Clopper & Pearson 1934, "The use of confidence or fiducial limits", Biometrika 26 (4), one-sided.
    """
    if right <= 0:
        return 0.0
    tail = _tail(right, rows)
    low, high = 0.0, right / rows
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if tail(middle) < risk else (low, middle)
    return low


def is_surely_above(found: int, rows: int, share: float, risk: float) -> bool:
    """Whether `found` of `rows` leave no doubt, at this risk, that their true share is above this one.

    So `exact_lower` is above it, without looking for where that is.
    """
    return found > share * rows and _tail(found, rows)(share) < risk


def _tail(least: int, rows: int) -> Callable[[float], float]:
    """By the share p: P(X ≥ least) of a binomial X of so many rows, 1 ≤ least ≤ rows."""
    counts = np.arange(least, rows + 1)
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, rows + 1)))])
    ways = logs[rows] - logs[counts] - logs[rows - counts]

    def tail(share: float) -> float:
        if not share:
            return 0.0
        return float(np.exp(ways + counts * math.log(share) + (rows - counts) * math.log1p(-share)).sum())

    return tail
