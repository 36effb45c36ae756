"""Samples of the pool of which each holds the smaller ones, at multiples of the number of gold rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from distill.core.errors import UserError


@dataclass(frozen=True)
class Point:
    """One size of the pool.

    Attributes: factor: pool rows per gold row. rows: of the pool. whole: whether that is all of it, because it has
        fewer than the factors that were asked for.
    """

    factor: float
    rows: int
    whole: bool = False

    @property
    def name(self) -> str:
        """`4x`, or `all` of the pool."""
        return "all" if self.whole else f"{self.factor:g}x"


def parse_factors(text: str) -> list[float]:
    """`1,4,16` as numbers. Raises: UserError unless they are above 0 and each is larger than the one before."""
    do = "give rising numbers, for example 1,4,16"
    try:
        factors = [float(part) for part in text.split(",")]
    except ValueError:
        raise UserError("the factors are no numbers", where="--factors", found=text, do=do) from None
    if not all(0 < factor < math.inf for factor in factors):
        raise UserError("a factor is above 0", where="--factors", found=text, do=do)
    if any(after <= before for before, after in zip(factors, factors[1:], strict=False)):
        raise UserError("the factors do not increase", where="--factors", found=text, do=do)
    return factors


def points(factors: Sequence[float], gold: int, pool: int) -> list[Point]:
    """The sizes that a pool allows: those asked for, the first one beyond it replaced by all that it has.

    Args: factors: rising. gold: rows with gold labels. pool: rows that can be learnt.
    """
    found: list[Point] = []
    for factor in factors:
        rows = max(1, round(factor * gold))
        if rows > pool:
            more = pool > (found[-1].rows if found else 0)
            return [*found, Point(pool / gold, pool, whole=True)] if more else found
        found.append(Point(factor, rows))
    return found


def uses_up_pool(sizes: Sequence[Point], factors: Sequence[float]) -> bool:
    """Whether a pool has fewer rows than the factors ask for. Args: sizes: the `points` of these factors."""
    return sizes[-1].whole or len(sizes) < len(factors)
