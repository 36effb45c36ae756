"""Division that leaves out what there is nothing to divide by."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def ratio(above: ArrayLike, below: ArrayLike, undefined: float = 0.0) -> NDArray[np.float64]:
    """`above` by `below`, both (...); `undefined` where `below` is 0 or less, NaN where one of them is."""
    out = np.full(np.shape(above), undefined)
    found: NDArray[np.float64] = np.divide(above, below, out=out, where=~(np.asarray(below) <= 0))
    return found
