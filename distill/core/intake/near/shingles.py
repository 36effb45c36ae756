"""The sets of word shingles by which two texts are compared, and how alike two of them are."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
_SIDE = np.uint64(1)  # the lowest bit of a hash: 0 on the left side, 1 on the right one


@dataclass(frozen=True)
class ShingleSets:
    """The shingles of N rows, those of both sides in one set.

    Attributes: hashes: uint64 (M,), one set after the other, each in rising order. sizes: int64 (N,).
    """

    hashes: Hashes
    sizes: NDArray[np.int64]

    @property
    def offsets(self) -> NDArray[np.uint64]:
        """Where each set begins, and the end: uint64 (N + 1,)."""
        return np.concatenate([[0], np.cumsum(self.sizes)]).astype(np.uint64)


def shingle_sets(rows: Sequence[tuple[str, str]], words: int) -> ShingleSets:
    """The hashed shingles of the two sides of each row: every run of so many words, each once.

    A side of fewer words is one shingle as a whole; a side without any has none. Hashes have 64 bits, of which one says
    the side: two shingles of a million short rows are taken for one with a chance of 2e-5.

    Args: rows: (left, right), in the form in which texts are compared. words: of a shingle.
    """
    from rensa import RMinHash

    hashed = RMinHash.hash_token_sets([_shingles(side, words) for row in rows for side in row])
    sizes = np.fromiter(map(len, hashed), np.int64, 2 * len(rows))
    flat = np.fromiter(chain.from_iterable(hashed), np.uint64, int(sizes.sum()))
    sides = np.repeat(np.tile(np.array([0, 1], np.uint64), len(rows)), sizes)
    flat = (flat & ~_SIDE) | sides
    owners = np.repeat(np.arange(len(rows)), sizes.reshape(-1, 2).sum(axis=1))
    order = np.lexsort((flat, owners))
    flat, owners = flat[order], owners[order]
    first = np.ones(len(flat), np.bool_)
    first[1:] = (flat[1:] != flat[:-1]) | (owners[1:] != owners[:-1])
    return ShingleSets(flat[first], np.bincount(owners[first], minlength=len(rows)).astype(np.int64))


def likeness(a: AbstractSet[int], b: AbstractSet[int]) -> float:
    """The smaller Jaccard index |a ∩ b| / |a ∪ b| of the two sides, in [0, 1]; sides that are both empty are equal.

    The smaller one, so that a long product text does not make two questions about different pages one.
    """
    return min(_jaccard(one, other) for one, other in zip(_by_side(a), _by_side(b), strict=True))


def alike(a: AbstractSet[int], b: AbstractSet[int], jaccard: float) -> bool:
    """Whether the likeness of two rows is at least `jaccard`."""
    return _jaccard(a, b) >= jaccard and likeness(a, b) >= jaccard  # that of both sides at once is never the smaller


def _jaccard(a: AbstractSet[int], b: AbstractSet[int]) -> float:
    either = len(a | b)
    return len(a & b) / either if either else 1.0


def _by_side(hashes: AbstractSet[int]) -> tuple[set[int], set[int]]:
    right = {one for one in hashes if one & 1}
    return set(hashes) - right, right


def _shingles(text: str, words: int) -> list[str]:
    own = text.split()
    if 0 < len(own) < words:
        return [" ".join(own)]
    return list(map(" ".join, zip(*(own[start:] for start in range(words)), strict=False)))
