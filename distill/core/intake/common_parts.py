"""The most frequent keys of a stream, counted in bounded memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
_PIECE = 1 << 20  # keys that are gathered before they are counted


class Tally:
    """Counts of at most `top` keys.

    Exact as long as no more keys than that are different. Beyond, the count of the first key that has no room is taken
    off all counts, so that a count is never too high, and too low by `missed` at most, which is at most all keys added
    divided by top + 1.

    Source: Misra and Gries 1982, "Finding repeated elements", merged as in Agarwal et al. 2012, "Mergeable summaries",
    section 3.

    Args: top: counters; each takes 16 bytes, and twice that while counts are merged.
    Attributes: missed: by how much a count may be too low.
    """

    def __init__(self, top: int) -> None:
        self._top, self.missed = top, 0
        self._keys, self._counts = np.zeros(0, np.uint64), np.zeros(0, np.int64)
        self._pieces: list[Keys] = []
        self._waiting = 0

    def add(self, keys: Keys) -> None:
        """Count each of the keys, uint64 (N,), once."""
        self._pieces.append(keys)
        self._waiting += len(keys)
        if self._waiting >= _PIECE:
            self._merge()

    def common(self, least: int) -> Keys:
        """The keys with at least this count, sorted, uint64 (M,)."""
        self._merge()
        return self._keys[self._counts >= least]

    def _merge(self) -> None:
        if not self._pieces:
            return
        new, counts = np.unique(np.concatenate(self._pieces), return_counts=True)
        self._pieces, self._waiting = [], 0
        both, places = np.unique(np.concatenate([self._keys, new]), return_inverse=True)
        sums = np.zeros(len(both), np.int64)
        np.add.at(sums, places, np.concatenate([self._counts, counts]))
        if len(both) > self._top:
            lost = int(np.partition(sums, -self._top - 1)[-self._top - 1])
            self.missed += lost
            sums -= lost
            both, sums = both[sums > 0], sums[sums > 0]
        self._keys, self._counts = both, sums
