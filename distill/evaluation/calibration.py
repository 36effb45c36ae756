"""Temperature scaling: one number that calibrates a model's probabilities without changing its labels."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from distill.core.errors import UserError
from distill.core.objectives.objective import Objective
from distill.core.objectives.single_label import SINGLE
from distill.evaluation.metrics import log_loss

LOWEST, HIGHEST = 0.05, 20.0
_TOLERANCE = 1e-6
_SHRINK = (math.sqrt(5) - 1) / 2


def fit_temperature(
    logits: ArrayLike, target: ArrayLike, objective: Objective = SINGLE, weights: ArrayLike | None = None
) -> float:
    """The T in [0.05, 20] with the lowest log loss of `logits / T`; 1 where T would change the decisions.

    Log loss is convex in 1/T, so it has one valley in log T and golden-section search finds it. The bounds are our
    departure: on rows that the model separates perfectly the best T is 0, on useless logits it is infinite.

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
    best = _golden_section(
        lambda log_t: log_loss(values / math.exp(log_t), target, objective, weights),
        math.log(LOWEST),
        math.log(HIGHEST),
    )
    return math.exp(best)


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
