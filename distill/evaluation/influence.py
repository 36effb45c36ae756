"""How much each row moves a figure: its derivative in the weight of the row."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from distill.evaluation.metrics import FloatArray

_STEP = 1e-5


def influence(figure: Callable[[FloatArray], FloatArray], columns: ArrayLike) -> FloatArray:
    """The derivative of a figure of sums in each row's weight, (N,): with weights 1 + d it moves by d · influence.

    By the chain rule that is a row's columns times the figure's gradient in their sums, by central differences.
    Source: Jaeckel 1972, "The infinitesimal jackknife"; Efron 1982, "The Jackknife, the Bootstrap and Other Resampling
    Plans", chapter 6.

    Args: figure: sums (..., M) -> values (...). columns: one value per row and column (N, M).
    """
    rows = np.asarray(columns, np.float64)
    step = _STEP * len(rows)
    apart = step * np.eye(rows.shape[1])
    total = rows.sum(axis=0)
    gradient = (figure(total + apart) - figure(total - apart)) / (2 * step)
    return np.asarray(rows @ gradient)
