"""Products in families, so that near misses abound: a shelf holds siblings of one brand beside other brands."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from distill.demo.goods import Kind
from distill.demo.names import SOLD, Name, Part

_FAMILY = (3, 1)  # codes of the first and of the second series of a brand
_OTHER_BRANDS = 2
_SUBTITLE_FEATURES = 2
_MOST_TAKEN = 30_000  # names; medicines run short of free ones when more are kept apart
_LETTERS = ("", "", "", "", "A", "B", "S", "X")
_STRENGTHS_MG = (5, 10, 15, 20, 25, 30, 40, 50, 60, 75, 80, 90, 100, 120, 125, 150, 200, 250, 300, 400, 500, 600, 750)
_STEMS = ("val", "dor", "par", "lin", "cet", "mel", "tri", "ser", "ox", "flu", "ben", "lor")
_TAILS = ("mordin", "azole", "ivane", "opril", "etamol", "uxan", "idine", "astin")


@dataclass(frozen=True, slots=True)
class Product:
    """A product on a shelf; `substance` is what a medicine acts by, empty for other goods."""

    name: Name
    kind: Kind
    title: str
    features: tuple[str, ...]
    substance: str

    def row(self) -> dict[str, Any]:
        """The product's side of a record."""
        return {
            "id": self.name.slug,
            "title": self.title,
            "subtitle": ", ".join([self.substance, *self.features] if self.substance else self.features),
            "main_type": self.kind.name,
            "defin": self.kind.definition,
            "brand": self.name.brand,
        }


Shelf = list[Product]


def shelves(kinds: Iterator[Kind], part: Part, rng: random.Random) -> Iterator[Shelf]:
    """Shelves of the part, one for each kind that comes; no name stands on two of 5,000 shelves in a row."""
    taken: set[Name] = set()
    for kind in kinds:
        names = _names(kind, part, rng)
        while not taken.isdisjoint(names):
            names = _names(kind, part, rng)
        taken.update(names)
        yield [_product(name, kind, rng) for name in names]
        if len(taken) > _MOST_TAKEN:
            taken.clear()


def _names(kind: Kind, part: Part, rng: random.Random) -> list[Name]:
    """A family of one brand, then single products of other brands."""
    sold = SOLD[part]
    first, *others = rng.sample(list(sold), 1 + _OTHER_BRANDS)
    names = []
    for series, codes in zip(rng.sample(sold[first], len(_FAMILY)), _FAMILY, strict=True):
        names += [Name(first, series, code) for code in _codes(kind, codes, rng)]
    return names + [Name(brand, rng.choice(sold[brand]), _codes(kind, 1, rng)[0]) for brand in others]


def _codes(kind: Kind, count: int, rng: random.Random) -> list[str]:
    if kind.segment == "pharma":
        return [f"{strength} mg" for strength in rng.sample(_STRENGTHS_MG, count)]
    numbers = rng.sample(range(2, 10 ** rng.choice((1, 2, 3, 3))), count)
    letter = rng.choice(_LETTERS)
    return [f"{number}{letter}" for number in numbers]


def _product(name: Name, kind: Kind, rng: random.Random) -> Product:
    features = tuple(rng.sample(kind.features, _SUBTITLE_FEATURES))
    title = rng.choice((name.full, f"{name.full} {kind.name}", f"{kind.name.capitalize()} {name.full}"))
    return Product(name, kind, title, features, _substance(name) if kind.segment == "pharma" else "")


def _substance(name: Name) -> str:
    """One substance for all strengths of a series."""
    rng = random.Random(f"{name.brand} {name.series}")
    return rng.choice(_STEMS) + rng.choice(_TAILS)
