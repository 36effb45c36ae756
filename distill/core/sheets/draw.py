"""Which rows are checked by hand: some of every stage, class and band of confidence, each standing for others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from distill.core.intake.hashing import unit

BANDS = ("low", "middle", "high")
T = TypeVar("T")
Stratum = tuple[str, int, int]
"""Stage, class, band of confidence."""


@dataclass(frozen=True)
class Labelled:
    """N rows of the pool that have a label.

    Attributes: ids: N. stages: N, '' for a teacher without stages. classes: int64 (N,). confidence: float64 (N,).
    """

    ids: Sequence[str]
    stages: Sequence[str]
    classes: NDArray[np.int64]
    confidence: NDArray[np.float64]

    def __len__(self) -> int:
        """N."""
        return len(self.ids)


def strata(rows: Labelled) -> list[Stratum]:
    """The stratum of each row. Bands are thirds of the stage's own rows by confidence, equal ones in one band."""
    stages, band = np.array(rows.stages), np.zeros(len(rows), np.int64)
    for stage in np.unique(stages):
        own = stages == stage
        lower, upper = np.quantile(rows.confidence[own], (1 / 3, 2 / 3))
        band[own] = (rows.confidence[own] > lower).astype(np.int64) + (rows.confidence[own] > upper)
    return list(zip(rows.stages, rows.classes.tolist(), band.tolist(), strict=True))


def draw(rows: Labelled, wanted: int, seed: int) -> list[int]:
    """Places of the rows that are drawn, at most `wanted`, in an order that tells nothing.

    Stages take turns, and in each its strata, so that a rare one is seen as well as a frequent one; which row of a
    stratum is drawn, and which stratum comes first, is decided by seeded hashes.
    """
    groups: dict[str, dict[Stratum, list[int]]] = defaultdict(lambda: defaultdict(list))
    for index, stratum in enumerate(strata(rows)):
        groups[stratum[0]][stratum].append(index)
    queues = []
    for stage in sorted(groups):
        own = sorted(groups[stage].items(), key=lambda item: unit(seed, "stratum", *map(str, item[0])))
        queues.append(in_turn([_shuffled(rows, places, seed) for _, places in own]))
    return _shuffled(rows, list(islice(in_turn(queues), wanted)), seed + 1)


def in_turn(queues: Sequence[Iterator[T] | Sequence[T]]) -> Iterator[T]:
    """One item of each queue in turn, until all are empty."""
    waiting = [iter(queue) for queue in queues]
    while waiting:
        left = []
        for queue in waiting:
            for item in islice(queue, 1):
                yield item
                left.append(queue)
        waiting = left


def weights(drawn: Sequence[Stratum], sizes: dict[Stratum, int]) -> NDArray[np.float64]:
    """How many rows of the pool each drawn row stands for, float64 (n,).

    A row stands for its share of its stratum; the strata of a stage that no drawn row is of are shared by the others of
    that stage in proportion. Rows of stages that none is of are stood for by nobody.

    Args: drawn: strata of n rows. sizes: rows of the pool in each stratum.
    """
    count: dict[Hashable, int] = defaultdict(int)
    for stratum in drawn:
        count[stratum] += 1
    whole: dict[str, int] = defaultdict(int)
    seen: dict[str, int] = defaultdict(int)
    for stratum, rows in sizes.items():
        whole[stratum[0]] += rows
        seen[stratum[0]] += rows if count[stratum] else 0
    return np.array([sizes[one] / count[one] * whole[one[0]] / seen[one[0]] for one in drawn], np.float64)


def _shuffled(rows: Labelled, places: Sequence[int], seed: int) -> list[int]:
    return sorted(places, key=lambda index: (unit(seed, "sample", rows.ids[index]), rows.ids[index]))
