"""What fills the slots of a page's wording."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from distill.demo.products import Product
from distill.demo.wording import wording

_NAME_WEIGHTS = (35, 40, 50, 60, 85, 100)  # cumulative: full, type before, type after, title, short, lower case


class Slots(dict[str, str]):
    """The slots of pages about `subject` that also name `others`, for `str.format_map`.

    What each of them holds is explained at the top of `wording/pages_about.yaml`.
    """

    def __init__(self, subject: Product, others: Sequence[Product], rng: random.Random) -> None:
        super().__init__()
        goods, filler = subject.goods, wording().filler
        self.update(brand=subject.name.brand, type=goods.type, types=goods.types, definition=goods.definition)
        self.update(substance=subject.substance, feature=rng.choice(subject.features))
        self.update(other_feature=rng.choice(goods.features), accessory=rng.choice(goods.accessories))
        self._drawn: dict[str, Callable[[], str]] = {
            "subject": lambda: naming(subject, rng),
            "other": lambda: naming(others[0] if others else subject, rng),
            "others": lambda: joined([naming(product, rng) for product in others]),
            "small_number": lambda: str(rng.randint(2, 12)),
            "number": lambda: str(rng.randint(13, 980)),
            "shop": lambda: rng.choice(filler.shops),
            "city": lambda: rng.choice(filler.cities),
            "month": lambda: rng.choice(filler.months),
            "person": lambda: rng.choice(filler.persons),
        }

    def __missing__(self, key: str) -> str:
        """A slot that is drawn anew at each use. Raises: KeyError for a slot that does not exist."""
        return self._drawn[key]()

    def fill(self, template: str) -> str:
        """The template with its slots filled and its first letter in upper case."""
        text = template.format_map(self)
        return text[0].upper() + text[1:]


def naming(product: Product, rng: random.Random) -> str:
    """One of the ways in which pages name a product; each has the series and the code."""
    name, type_ = product.name, product.goods.type
    ways = (name.full, f"{type_} {name.full}", f"{name.full} {type_}", product.title, name.short, name.full.lower())
    return rng.choices(ways, cum_weights=_NAME_WEIGHTS)[0]


def joined(names: Sequence[str]) -> str:
    """Names as a sentence lists them: a, b and c."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
