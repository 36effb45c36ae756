"""Temperature scaling: one number that calibrates a model's probabilities without changing its labels."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from distill.core.errors import UserError
from distill.core.objectives.objective import FloatArray, Objective
from distill.core.objectives.single_label import SINGLE
from distill.evaluation.metrics import log_loss

LOWEST, HIGHEST = 0.05, 20.0
_TOLERANCE = 1e-6
_SHRINK = (math.sqrt(5) - 1) / 2


def fit_temperature(
    logits: ArrayLike, target: ArrayLike, objective: Objective = SINGLE, weights: ArrayLike | None = None
) -> float:
    """The T in [0.05, 20] with the lowest log loss of `logits / T` against `smoothed` gold; 1 where T would change the
    decisions.

    Log loss is convex in 1/T, so it has one valley in log T and golden-section search finds it. The smoothing and the
    bounds are our departures: against gold as it is the best T is 0 on rows that the model separates, which a good
    model does to few rows by luck; on useless logits it is infinite.

    Args: logits, target, objective: of the validation split, as in `metrics.tally`. weights: (N,), how much each row
        counts; None: each the same.
    Raises: UserError when there are no rows. ValueError when the shapes differ.
    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", arXiv:1706.04599, section 4.2.
    """
    values = np.asarray(logits, np.float64)
    if not len(values):
        raise UserError("a temperature needs labelled rows", where="data.valid", found="0 rows")
    if not objective.tempered:
        return 1.0
    gold = smoothed(np.asarray(target, np.float64), objective)
    best = _golden_section(
        lambda log_t: log_loss(values / math.exp(log_t), gold, objective, weights),
        math.log(LOWEST),
        math.log(HIGHEST),
    )
    return math.exp(best)


def smoothed(target: FloatArray, objective: Objective) -> FloatArray:
    """Gold (N, C) that is certain only as far as the number of rows allows.

    Formula: a row's own class has (n + 1) / (n + 2) in place of 1, and the 1 / (n + 2) that is left goes in equal parts
    to the other classes. Where a record may have several labels, so has each yes or no, and the other one what is left.
    n is the number of decisions, N or N·C: after n of them without an error the rule of succession says as much. Votes
    follow the same line.

    Source: Platt 1999, "Probabilistic outputs for support vector machines and comparisons to regularized likelihood
    methods", section 2.2. There n is the number of rows of the row's own class. Ours counts all that the one T is
    fitted on: with 77 classes of 5 rows each the other n would say that a seventh of the rows is wrong.
    """
    decisions, others = (target.size, 1) if objective.several else (len(target), max(1, target.shape[-1] - 1))
    return np.asarray(((decisions + 1) * target + (1 - target) / others) / (decisions + 2))


def at_bound(temperature: float) -> bool:
    """Whether a temperature is the least or the greatest that is looked for: a better one may lie beyond."""
    near = 10 * _TOLERANCE  # of log T
    return not math.log(LOWEST) + near < math.log(temperature) < math.log(HIGHEST) - near


def _golden_section(function: Callable[[float], float], low: float, high: float) -> float:
    """The minimum of a one-valley function on [low, high], to within 1e-6."""
    left, right = high - _SHRINK * (high - low), low + _SHRINK * (high - low)
    at_left, at_right = function(left), function(right)
    while high - low > _TOLERANCE:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - _SHRINK * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _SHRINK * (high - low)
            at_right = function(right)
    return (low + high) / 2
