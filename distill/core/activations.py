"""From logits to probabilities, in float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


def softmax(logits: ArrayLike) -> FloatArray:
    """Softmax over the last axis, float64; safe for large logits."""
    return np.exp(log_softmax(logits))


def log_softmax(logits: ArrayLike) -> FloatArray:
    """Log of the softmax over the last axis, float64; safe for large logits."""
    shifted = np.asarray(logits, np.float64)
    shifted = shifted - shifted.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def sigmoid(logits: ArrayLike) -> FloatArray:
    """1 / (1 + exp(−x)), float64; safe for large logits."""
    return np.exp(-np.logaddexp(0.0, -np.asarray(logits, np.float64)))
