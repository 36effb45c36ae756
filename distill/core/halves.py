"""Validation in two: something is chosen on one half, and judged on the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from distill.core.intake.hashing import unit

FEWEST_CLUSTERS = 30  # what an interval rests on at least, and so a half: fewer independent rows say too little


def choosing_half(clusters: Sequence[str], seed: int) -> NDArray[np.bool_] | None:
    """Which rows something is chosen on, bool (N,); None where either half would have under 30 clusters.

    Clusters come to a half as a whole, by a seeded hash of their names, as many to one as to the other.

    Args: clusters: of N rows, as predictions have them: the first key, or the row where there is none.
    """
    names = sorted(set(clusters), key=lambda name: unit(seed, "halves", name))
    if len(names) < 2 * FEWEST_CLUSTERS:
        return None
    chosen = set(names[: len(names) // 2])
    return np.array([name in chosen for name in clusters], np.bool_)
