"""Products in families, so that near misses abound: a shelf holds siblings of one brand and other brands."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from distill.demo.names import Name, Part, sold
from distill.demo.wording import Goods, wording

_FAMILY = (3, 1)  # codes of the first and of the second series of a brand
_OTHER_BRANDS = 2
_SUBTITLE_FEATURES = 2
_MOST_TAKEN = 30_000  # names; medicines run short of free ones when more are kept apart
_LETTERS = ("", "", "", "", "A", "B", "S", "X")
_STRENGTHS_MG = (5, 10, 15, 20, 25, 30, 40, 50, 60, 75, 80, 90, 100, 120, 125, 150, 200, 250, 300, 400, 500, 600, 750)


@dataclass(frozen=True, slots=True)
class Product:
    """A product on a shelf; `substance` is what a medicine acts by, empty for other goods."""

    name: Name
    goods: Goods
    title: str
    features: tuple[str, ...]
    substance: str

    def row(self) -> dict[str, Any]:
        """The product's side of a record."""
        return {
            "id": self.name.slug,
            "title": self.title,
            "subtitle": ", ".join([self.substance, *self.features] if self.substance else self.features),
            "main_type": self.goods.type,
            "defin": self.goods.definition,
            "brand": self.name.brand,
        }


Shelf = list[Product]


def shelves(kinds: Iterator[Goods], part: Part, rng: random.Random) -> Iterator[Shelf]:
    """Shelves of the part, one for each kind of goods that comes; 5,000 shelves in a row share no name."""
    taken: set[Name] = set()
    for goods in kinds:
        names = _names(goods, part, rng)
        while not taken.isdisjoint(names):
            names = _names(goods, part, rng)
        taken.update(names)
        yield [_product(name, goods, rng) for name in names]
        if len(taken) > _MOST_TAKEN:
            taken.clear()


def _names(goods: Goods, part: Part, rng: random.Random) -> list[Name]:
    """A family of one brand, then single products of other brands."""
    series_of = sold(part)
    first, *others = rng.sample(list(series_of), 1 + _OTHER_BRANDS)
    names = []
    for series, codes in zip(rng.sample(series_of[first], len(_FAMILY)), _FAMILY, strict=True):
        names += [Name(first, series, code) for code in _codes(goods, codes, rng)]
    return names + [Name(brand, rng.choice(series_of[brand]), _codes(goods, 1, rng)[0]) for brand in others]


def _codes(goods: Goods, count: int, rng: random.Random) -> list[str]:
    if goods.segment == "pharma":
        return [f"{strength} mg" for strength in rng.sample(_STRENGTHS_MG, count)]
    numbers = rng.sample(range(2, 10 ** rng.choice((1, 2, 3, 3))), count)
    letter = rng.choice(_LETTERS)
    return [f"{number}{letter}" for number in numbers]


def _product(name: Name, goods: Goods, rng: random.Random) -> Product:
    features = tuple(rng.sample(goods.features, _SUBTITLE_FEATURES))
    title = rng.choice((name.full, f"{name.full} {goods.type}", f"{goods.type.capitalize()} {name.full}"))
    return Product(name, goods, title, features, _substance(name) if goods.segment == "pharma" else "")


def _substance(name: Name) -> str:
    """One substance for all strengths of a series."""
    parts, rng = wording().names.substances, random.Random(f"{name.brand} {name.series}")
    return rng.choice(parts.stems) + rng.choice(parts.endings)
