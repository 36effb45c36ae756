"""Names of products: a made-up brand, a series and a short code, and the part of the world that a name belongs to."""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass
from typing import Literal

Part = Literal["train", "valid", "test", "pool", "pretraining"]

_BRANDS_SEED, _BRANDS = 20, 150
_FEWEST_SERIES = 2
_ONSETS = "b br d dr f g h k kr l m n p qu r s st t tr v z".split()
_VOWELS = "a e i o u ai eo".split()
_CODAS = "k l lm n nd r rv s st x".split()
_ENDS = "a ia ik o on ex ar um en is".split()

SERIES = tuple(
    """
    Nova Titan Vega Luna Orion Atlas Pulse Zenith Aura Comet Delta Echo Falcon Glide Halo Iris Jade Karma
    Lotus Matrix Nimbus Onyx Prisma Quartz Rapid Solar Tempo Ultra Vortex Wave Xeno Yara Zephyr Aero Boreal
    Cobalt Drift Ember Flux Gamma Harbor Indigo Jupiter Kodiak Lynx Mistral Nectar Opal Pixel Quasar Raven
    Sierra Terra Unity Velvet Willow Xenia Yukon Zircon Alto Bravo Cirrus Dynamo Eclipse Fjord Granite
    Horizon Inca Jaguar Kinetic Lumen Meteor Nomad Oasis Polar Quest Ridge Saffron Tundra Umbra
    """.split()
)

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
        """The full name as it stands in addresses."""
        return self.full.lower().replace(" ", "-")


def part_of(brand: str, series: str) -> Part:
    """The part of the world in which products of this brand and series are sold.

    No seed enters, so files of different parts share no product whatever their seeds are.
    """
    return _PART_OF[zlib.crc32(f"{brand} {series}".encode()) % len(_PART_OF)]


def _brands() -> tuple[str, ...]:
    rng, found = random.Random(_BRANDS_SEED), dict[str, None]()
    taken = {series.lower() for series in SERIES}
    while len(found) < _BRANDS:
        word = rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) + rng.choice(_ENDS)
        if word not in taken:
            found[word.capitalize()] = None
    return tuple(found)


def _sold(part: Part) -> dict[str, tuple[str, ...]]:
    sold = {brand: tuple(series for series in SERIES if part_of(brand, series) == part) for brand in BRANDS}
    return {brand: series for brand, series in sold.items() if len(series) >= _FEWEST_SERIES}


BRANDS = _brands()
# Part to brand to its series there, for brands with enough of them to make a family.
SOLD = {part: _sold(part) for part, _ in _SHARES}
