"""Borders between ordered classes on one output: between their values, or where validation rows are told apart best.

Shapes: N rows, C classes, M different outputs among the rows. Border b_c is between class c − 1 and class c; the class
of a row is the number of borders under its output.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.core.objectives.objective import FloatArray
from distill.training.fit_objectives.aim import Affine

Places = NDArray[np.int64]
_BEYOND = 1.0  # how far a border that no row passes lies from the nearest row


def midpoints(values: Sequence[float]) -> FloatArray:
    """The borders (C − 1,) halfway between the values (C,) of neighbouring classes."""
    listed = np.array(values, np.float64)
    return np.asarray((listed[:-1] + listed[1:]) / 2)


def lines(values: Sequence[float], borders: FloatArray) -> Affine:
    """Logits whose argmax decides as the borders do: lines of rising slope, each above the others between its borders.

    Formula: logit_c = (v_c − v_0)·y − d_c, d_0 = 0, d_c = d_{c−1} + b_c·(v_c − v_{c−1}), so that the lines of c − 1 and
    c cross at b_c. Slopes count from v_0: no decision and no probability depends on it, none is negative, and so the
    greatest output of several windows gives the greatest logits.

    Args: values: (C,), rising. borders: (C − 1,), none under the one before.
    """
    listed = np.array(values, np.float64)
    offsets = np.concatenate([[0.0], np.cumsum(borders * np.diff(listed))])
    return Affine((listed - listed[0])[:, None], -offsets)


@dataclass(frozen=True)
class Cuts:
    """All that a border can do to some rows: it lies between two outputs that differ, or beyond them all.

    Attributes: places: of the M + 1 cuts, rising. below: rows of each class under each cut, int64 (M + 1, C). usual:
        the cuts (C − 1,) that do what the midpoints do.
    """

    places: FloatArray
    below: Places
    usual: Places

    @classmethod
    def of(cls, outputs: NDArray[np.floating[Any]], gold: Places, values: Sequence[float]) -> Cuts:
        """Args: outputs: (N,). gold: class of each row, (N,). values: of the classes, (C,)."""
        levels, group = np.unique(np.asarray(outputs, np.float64), return_inverse=True)
        counts = np.zeros((len(levels), len(values)), np.int64)
        np.add.at(counts, (group, gold), 1)
        below = np.concatenate([np.zeros((1, len(values)), np.int64), counts.cumsum(axis=0)])
        inner = (levels[:-1] + levels[1:]) / 2
        places = np.concatenate([[levels[0] - _BEYOND], inner, [levels[-1] + _BEYOND]])
        return cls(places, below, np.searchsorted(levels, midpoints(values), side="right"))


def most_accurate(cuts: Cuts) -> FloatArray:
    """The borders (C − 1,) under which most rows are of their class; of equals those nearest to the midpoints.

    Exact: what border c adds, rows of c − 1 less rows of c under it, depends on its cut alone. So the best cuts in
    rising order are found class after class, each from the best ones at or under it.
    """
    columns = cuts.below.shape[1]
    number = np.arange(len(cuts.places))
    best, ways = np.zeros(len(number)), []
    for border in range(1, columns):
        near = 1 / (2 * columns * (1 + np.abs(number - cuts.usual[border - 1])))  # all of them less than one row
        gain = cuts.below[:, border - 1] - cuts.below[:, border] + near
        ways.append(_best_until(best))
        best = best[ways[-1]] + gain
    chosen = [int(best.argmax())]
    for way in reversed(ways[1:]):
        chosen.append(int(way[chosen[-1]]))
    return np.asarray(cuts.places[chosen[::-1]])


def best_f1(cuts: Cuts, positive: int) -> FloatArray:
    """The borders (C − 1,) with the best F1 of one class, and under these with the best of the next one, and so on.

    First come the borders of the positive class; then the class that is farthest from it on the scale has those of its
    own that are not held yet, then the next nearer one. A class without rows takes what the midpoints do.

    Args: positive: the class that comes first.
    """
    classes, last = cuts.below.shape[1], len(cuts.places) - 1
    held = {0: 0, classes: last}
    for one in [positive, *sorted(set(range(classes)) - {positive}, key=lambda other: -abs(other - positive))]:
        ranges = [_free(edge, held) for edge in (one, one + 1)]
        if cuts.below[-1, one]:
            held[one], held[one + 1] = _best_span(cuts.below, one, *ranges)
        else:
            usual = [0, *cuts.usual.tolist(), last]
            for edge, (low, high) in zip((one, one + 1), ranges, strict=True):
                held[edge] = min(max(usual[edge], low), high)
    return np.asarray(cuts.places[[held[border] for border in range(1, classes)]])


def _free(edge: int, held: dict[int, int]) -> tuple[int, int]:
    """The least and greatest cut that a border may have between those that are held."""
    return max(cut for one, cut in held.items() if one <= edge), min(cut for one, cut in held.items() if one >= edge)


def _best_span(below: Places, one: int, low: tuple[int, int], high: tuple[int, int]) -> tuple[int, int]:
    """The cuts (i, j), i ≤ j, between which the F1 of a class is greatest. Args: low, high: of i and of j, inclusive.

    F1 is 2·hits / (predicted + gold). With F the best so far, the span with the greatest 2·hits − F·predicted is found
    in one pass, and F only grows until no span is better, after a few rounds.
    Source: Dinkelbach 1967, "On Nonlinear Fractional Programming", Management Science 13(7).
    """
    hits, rows = below[:, one].astype(np.float64), below.sum(axis=1).astype(np.float64)
    ends, best, found = np.arange(high[0], high[1] + 1), -1.0, (low[0], high[1])
    while True:
        worth = 2 * hits - max(best, 0.0) * rows
        starts = low[0] + _best_until(-worth[low[0] : low[1] + 1])
        first = starts[np.minimum(ends, low[1]) - low[0]]
        pick = int((worth[ends] - worth[first]).argmax())
        i, j = int(first[pick]), int(ends[pick])
        f1 = 2 * (hits[j] - hits[i]) / (rows[j] - rows[i] + hits[-1])
        if f1 <= best:
            return found
        best, found = f1, (i, j)


def _best_until(values: FloatArray) -> Places:
    """For each place that of the greatest value up to it, the first of equals, int64."""
    rising = np.maximum.accumulate(values)
    new = np.concatenate([[True], rising[1:] > rising[:-1]])
    return np.asarray(np.maximum.accumulate(np.where(new, np.arange(len(values)), 0)), np.int64)
