"""What fills the slots of a page's wording; each use of a slot is drawn anew."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from distill.demo import filler
from distill.demo.products import Product

_NAME_WEIGHTS = (35, 40, 50, 60, 85, 100)  # cumulative: full, type before, type after, title, short, lower case


class Words(dict[str, str]):
    """The slots of pages about `subject` that also name `others`, for `str.format_map`.

    Slots: s subject, q one other product, o all others, b brand, t type, p plural, d definition, u substance,
    f and g features, a accessory, k small number, n large number, and shop, city, month, person.
    """

    def __init__(self, subject: Product, others: Sequence[Product], rng: random.Random) -> None:
        super().__init__()
        kind = subject.kind
        self.update(b=subject.name.brand, t=kind.name, p=kind.plural, d=kind.definition, u=subject.substance)
        self.update(f=rng.choice(subject.features), g=rng.choice(kind.features), a=rng.choice(kind.accessories))
        self._drawn: dict[str, Callable[[], str]] = {
            "s": lambda: naming(subject, rng),
            "q": lambda: naming(others[0] if others else subject, rng),
            "o": lambda: joined([naming(product, rng) for product in others]),
            "k": lambda: str(rng.randint(2, 12)),
            "n": lambda: str(rng.randint(13, 980)),
            "shop": lambda: rng.choice(filler.SHOPS),
            "city": lambda: rng.choice(filler.CITIES),
            "month": lambda: rng.choice(filler.MONTHS),
            "person": lambda: rng.choice(filler.PERSONS),
        }

    def __missing__(self, key: str) -> str:
        """A slot that changes from use to use. Raises: KeyError for a slot that does not exist."""
        return self._drawn[key]()

    def fill(self, template: str) -> str:
        """The template with its slots filled and its first letter in upper case."""
        text = template.format_map(self)
        return text[0].upper() + text[1:]


def naming(product: Product, rng: random.Random) -> str:
    """One of the ways in which pages name a product; each has the series and the code."""
    name, kind = product.name, product.kind.name
    ways = (name.full, f"{kind} {name.full}", f"{name.full} {kind}", product.title, name.short, name.full.lower())
    return rng.choices(ways, cum_weights=_NAME_WEIGHTS)[0]


def joined(names: Sequence[str]) -> str:
    """Names as a sentence lists them: a, b and c."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
