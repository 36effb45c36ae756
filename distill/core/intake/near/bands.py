"""MinHash signatures in bands: rows whose sets are alike share the key of a band, others seldom do.

Two sets of Jaccard index s have the same MinHash with probability s (Broder 1997, "On the resemblance and containment
of documents"). A key is made of r MinHashes, a row has b keys: two rows share one with probability 1 − (1 − s^r)^b
(Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", 3rd ed., section 3.4.2). Here r is the largest for which b
bands find a pair at the threshold with probability 0.98 by at most 128 hashes. At 0.8 these are 17 bands of 7: they
find 1 − (1 − 0.8^7)^17 = 0.982 of the pairs at 0.8 and 0.99998 of those at 0.9, and make candidates of 0.12 of the
pairs at 0.5 and of 2e-4 of those at 0.2. Candidates are compared exactly, so the bands decide the recall alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distill.core.intake.near.shingles import Hashes, ShingleSets

_RECALL, _MOST_HASHES, _SEED = 0.98, 128, 42


@dataclass(frozen=True)
class Bands:
    """So many keys of a row, each of `rows` MinHashes."""

    bands: int
    rows: int

    @classmethod
    def of(cls, jaccard: float) -> Bands:
        """The bands for a threshold, 0 < jaccard ≤ 1: the longest keys that find a pair there with 0.98."""
        choices = (cls(_needed(jaccard**rows), rows) for rows in range(_MOST_HASHES, 0, -1))
        return next(bands for bands in choices if bands.bands * bands.rows <= _MOST_HASHES or bands.rows == 1)

    def found(self, jaccard: float) -> float:
        """The probability that two rows of this Jaccard index share a key."""
        return float(1 - (1 - jaccard**self.rows) ** self.bands)

    def keys(self, sets: ShingleSets) -> Hashes:
        """The keys of N rows, uint64 (N, bands). Those of an empty set mean nothing."""
        from rensa import RMinHash

        hashes = self.bands * self.rows
        signatures = RMinHash.digest_matrix_from_flat_token_hashes(sets.hashes, sets.offsets, hashes, _SEED)
        parts = np.array(signatures.to_rows(), np.uint32).reshape(len(sets.sizes), self.bands, self.rows)
        keys = np.broadcast_to(np.arange(self.bands, dtype=np.uint64), parts.shape[:2])
        for place in range(self.rows):
            keys = _mixed(keys ^ parts[:, :, place])
        return keys


def _needed(shared: float) -> int:
    """The bands that find a pair which shares each of them with this probability."""
    return 1 if shared >= _RECALL else math.ceil(math.log1p(-_RECALL) / math.log1p(-shared))


def _mixed(values: NDArray[np.uint64]) -> Hashes:
    """Each number as another one that looks random, none twice: the finaliser of SplitMix64 (Steele et al. 2014)."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
