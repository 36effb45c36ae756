"""Whether two lists of figures put the same things in the same order."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from distill.evaluation.metrics import FloatArray
from distill.evaluation.ratio import ratio


def spearman(a: ArrayLike, b: ArrayLike) -> FloatArray:
    """Rank correlation ρ over the last axis, the correlation of the ranks, where equal values share the mean rank.

    NaN where one side is equal throughout.

    Args: a, b: (..., M). Source: Spearman 1904, "The proof and measurement of association between two things", American
        Journal of Psychology 15.
    """
    one, other = (_centred(ranks(values)) for values in (a, b))
    return ratio((one * other).sum(axis=-1), np.sqrt((one**2).sum(axis=-1) * (other**2).sum(axis=-1)), np.nan)


def kendall(a: ArrayLike, b: ArrayLike) -> FloatArray:
    """Rank correlation τ_b over the last axis: pairs in the same order less pairs in the other, of those not equal.

    τ_b = (P − Q) / √((P + Q + A)(P + Q + B)), with A and B the pairs equal in one list only. NaN where one side is
    equal throughout.

    Args: a, b: (..., M). Source: Kendall 1945, "The treatment of ties in ranking problems", Biometrika 33.
    """
    one, other = (np.sign(values[..., :, None] - values[..., None, :]) for values in map(np.asarray, (a, b)))
    axes = (-2, -1)
    return ratio((one * other).sum(axis=axes), np.sqrt((one**2).sum(axis=axes) * (other**2).sum(axis=axes)), np.nan)


def ranks(values: ArrayLike) -> FloatArray:
    """Ranks from 1 over the last axis, the mean of them for equal values. Args: values: (..., M)."""
    own = np.asarray(values, np.float64)
    under = (own[..., None, :] < own[..., :, None]).sum(axis=-1)
    equal = (own[..., None, :] == own[..., :, None]).sum(axis=-1)
    return np.asarray(under + (equal + 1) / 2, np.float64)


def _centred(values: FloatArray) -> FloatArray:
    return np.asarray(values - values.mean(axis=-1, keepdims=True))
