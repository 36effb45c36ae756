"""Names of products: a made-up brand, a series and a short code, and the part of the world that a name belongs to."""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass
from functools import cache
from typing import Literal

from distill.demo.wording import wording

Part = Literal["train", "valid", "test", "pool", "pretraining"]

_BRANDS_SEED, _BRANDS = 20, 150
_FEWEST_SERIES = 2

# Sixteenths of all pairs of brand and series, in this order.
_SHARES: tuple[tuple[Part, int], ...] = (("train", 2), ("valid", 2), ("test", 3), ("pool", 3), ("pretraining", 6))
_PART_OF = tuple(part for part, share in _SHARES for _ in range(share))


@dataclass(frozen=True, slots=True)
class Name:
    """What a product is called, for example Borvik Nova 340; the code is 7, 52B or, for medicines, 250 mg."""

    brand: str
    series: str
    code: str

    @property
    def full(self) -> str:
        """Brand, series and code."""
        return f"{self.brand} {self.series} {self.code}"

    @property
    def short(self) -> str:
        """Series and code."""
        return f"{self.series} {self.code}"

    @property
    def slug(self) -> str:
        """The full name as addresses write it."""
        return self.full.lower().replace(" ", "-")


def part_of(brand: str, series: str) -> Part:
    """The part of the world in which products of this brand and series are sold.

    No seed enters, so files of different parts share no product whatever their seeds are.
    """
    return _PART_OF[zlib.crc32(f"{brand} {series}".encode()) % len(_PART_OF)]


@cache
def brands() -> tuple[str, ...]:
    """All brands; none is called like a series."""
    parts, rng, found = wording().names.brands, random.Random(_BRANDS_SEED), dict[str, None]()
    taken = {series.lower() for series in wording().names.series}
    while len(found) < _BRANDS:
        word = rng.choice(parts.onsets) + rng.choice(parts.vowels) + rng.choice(parts.codas) + rng.choice(parts.endings)
        if word not in taken:
            found[word.capitalize()] = None
    return tuple(found)


@cache
def sold(part: Part) -> dict[str, tuple[str, ...]]:
    """Brand to its series in a part of the world, for brands with enough of them to make a family."""
    series = wording().names.series
    found = {brand: tuple(name for name in series if part_of(brand, name) == part) for brand in brands()}
    return {brand: own for brand, own in found.items() if len(own) >= _FEWEST_SERIES}
