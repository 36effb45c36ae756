"""Rows dealt into folds, so that each can be judged or labelled by what was fitted on the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from distill.core.intake.hashing import unit


def fold_numbers(clusters: Sequence[str], folds: int, seed: int) -> NDArray[np.int64]:
    """The fold of each row, int64 (N,) from 0 on: rows of one cluster stay together, folds have about equal rows.

    The largest clusters are dealt first, each to the fold with the fewest rows; equally large ones in an order that
    depends on the seed and their names alone. With at least as many clusters as folds none is empty.
    """
    sizes, rows = Counter(clusters), [0] * folds
    places: dict[str, int] = {}
    for name in sorted(sizes, key=lambda name: (-sizes[name], unit(seed, "fold", name))):
        places[name] = rows.index(min(rows))
        rows[places[name]] += sizes[name]
    return np.array([places[name] for name in clusters], np.int64)
