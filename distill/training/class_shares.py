"""What a fit says of every row before it has learned anything from the texts: the shares of the classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from distill.core.objectives.objective import Floats, Objective
from distill.evaluation.calibration import fit_temperature
from distill.evaluation.metrics import log_loss

_LEAST = 0.99  # a hundredth under the log loss of one answer for all rows
_LIGHT = 1e-9  # of a row that the weights leave out, so that there is a mean where all are left out


def learnt_shares(target: NDArray[np.float32], weights: Sequence[float] | None) -> NDArray[np.float32]:
    """The class shares (C,) that a fit learns from such gold (N, C). Args: weights: of the classes."""
    rows = np.ones(len(target)) if weights is None else np.maximum(target @ np.array(weights), _LIGHT)
    return np.asarray(np.average(target, axis=0, weights=rows), np.float32)


def log_loss_to_beat(constant: Floats, target: NDArray[np.float32], objective: Objective) -> float:
    """The log loss under which a model tells rows apart: 0.99 of that of one answer, after the best temperature.

    Args: constant: the logits (K,) of the answer. target: gold (N, C) of one row at least.
    """
    logits = np.tile(np.asarray(constant, np.float32), (len(target), 1))
    return _LEAST * log_loss(logits / fit_temperature(logits, target, objective), target, objective)
