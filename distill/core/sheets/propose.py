"""Which rows of the pool are worth a label by hand: unsure ones, disputed ones, slices without gold; no text twice."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distill.core.intake.hashing import unit
from distill.core.sheets.draw import in_turn

UNCERTAIN, DISPUTED, UNCOVERED = "uncertain", "disputed", "uncovered"


@dataclass(frozen=True)
class Proposals:
    """N rows of the pool.

    Attributes: ids: N. entropy: float64 (N,), of the teacher's answer as a share of the largest; 1 without a label.
        dispute: float64 (N,), how far the labellers are apart, 0 where they say the same class. slices: N, '' without
        one. texts: N hashes of the card's text; rows of one hash read the same.
    """

    ids: Sequence[str]
    entropy: NDArray[np.float64]
    dispute: NDArray[np.float64]
    slices: Sequence[str]
    texts: Sequence[int]


def propose(
    rows: Proposals, budget: int, covered: Collection[str], known: Collection[int], seed: int
) -> list[tuple[int, str]]:
    """(place, why) of at most `budget` rows. Reasons take turns; each gives its strongest row that is not taken yet.

    Args: covered: slices that have gold; rows of others are uncovered, and such slices take turns too. known: texts
        that have gold already. seed: order among equals.
    """
    order = sorted(range(len(rows.ids)), key=lambda index: (unit(seed, "propose", rows.ids[index]), rows.ids[index]))
    by_slice: dict[str, list[int]] = {}
    for index in order:
        if rows.slices[index] and rows.slices[index] not in covered:
            by_slice.setdefault(rows.slices[index], []).append(index)
    queues = {
        UNCERTAIN: iter(_strongest(order, rows.entropy)),
        DISPUTED: iter(_strongest(order, rows.dispute)),
        UNCOVERED: in_turn([by_slice[name] for name in sorted(by_slice)]),
    }
    seen, found = set(known), list[tuple[int, str]]()

    def fresh(queue: Iterator[int], why: str) -> Iterator[tuple[int, str]]:
        for index in queue:
            if rows.texts[index] not in seen:
                seen.add(rows.texts[index])
                yield index, why

    for pair in in_turn([fresh(queue, why) for why, queue in queues.items()]):
        if len(found) == budget:
            break
        found.append(pair)
    return found


def divergence(chances: Sequence[NDArray[np.float64]]) -> float:
    """How far M answers are apart: the Jensen–Shannon divergence in units of ln M; 0 where all say the same class.

    Source: Lin 1991, "Divergence measures based on the Shannon entropy", IEEE Trans. Information Theory 37 (1).
    """
    if len({int(one.argmax()) for one in chances}) < 2:
        return 0.0
    mean = np.mean(chances, axis=0)
    apart = _entropy(mean) - float(np.mean([_entropy(one) for one in chances]))
    return max(apart, 1e-9) / math.log(len(chances))


def _entropy(chances: NDArray[np.float64]) -> float:
    return -math.fsum(value * math.log(value) for value in chances.tolist() if value > 0)


def _strongest(order: Sequence[int], strength: NDArray[np.float64]) -> list[int]:
    """Places of rows with any strength, the strongest first, equal ones as in `order`."""
    return [index for index in sorted(order, key=lambda index: -strength[index]) if strength[index] > 0]
