"""Pairs of a product and a page from the same shelf, with what the page is to the product."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, cycle
from typing import Any

from distill.demo.names import Part
from distill.demo.pages import Page, make_page
from distill.demo.products import Product, Shelf, shelves
from distill.demo.wording import Goods, PageKind, wording

LABELS = ("not_about_pr", "ment_pr", "about_pr")

_SEGMENTS = ("old_pool", "diy", "electronics", "old_pool", "pharma")
_PAGES = 8
_OTHERS_WEIGHTS = (40, 35, 25)  # of one, two and three other products on a page
# Of one, two and three products that a page is paired with besides its subject, by whether its kind is narrow.
_COMPANIONS_WEIGHTS = {False: (10, 60, 30), True: (100, 0, 0)}
# Of these, the products that the page names, by whether its kind is about its subject.
_NAMED_SHARE = {True: 0.29, False: 0.68}
_NOISE = 0.05


@dataclass(frozen=True, slots=True)
class Pair:
    """A product and a page; `truth` is what the page is to the product, `label` what the annotator wrote."""

    product: Product
    page: Page
    truth: str
    label: str

    def row(self) -> dict[str, Any]:
        """The pair as a row of a file without label."""
        return {"segment": self.product.goods.segment, "product": self.product.row(), "page": self.page.row()}


def pairs(part: Part, rng: random.Random) -> Iterator[Pair]:
    """Pairs of a part without end, shelf by shelf."""
    numbers = count(1)
    for shelf in shelves(_goods(rng), part, rng):
        found = [pair for page in _pages(shelf, part, numbers, rng) for pair in _paired(page, shelf, rng)]
        rng.shuffle(found)
        yield from found


def _goods(rng: random.Random) -> Iterator[Goods]:
    """Kinds of goods without end, the slices in turn."""
    for segment in cycle(_SEGMENTS):
        yield rng.choice(wording().slices[segment].goods)


def _pages(shelf: Shelf, part: Part, numbers: Iterator[int], rng: random.Random) -> Iterator[Page]:
    """Pages of the shelf's products, each product once before any comes again."""
    subjects = rng.sample(shelf, len(shelf))
    for subject in (subjects * _PAGES)[:_PAGES]:
        page_id = f"{part}-w{next(numbers):06d}"
        yield make_page(page_id, _page_kind(subject, rng), subject, _others(subject, shelf, rng), rng)


def _page_kind(subject: Product, rng: random.Random) -> PageKind:
    own = wording().slices[subject.goods.segment]
    return rng.choices(own.page_kinds, own.page_shares)[0]


def _others(subject: Product, shelf: Shelf, rng: random.Random) -> tuple[Product, ...]:
    number = rng.choices((1, 2, 3), _OTHERS_WEIGHTS)[0]
    return tuple(rng.sample([product for product in shelf if product is not subject], number))


def _paired(page: Page, shelf: Shelf, rng: random.Random) -> Iterator[Pair]:
    """The page with its subject and some more of the shelf."""
    for product in [page.subject, *_companions(page, shelf, rng)]:
        truth = page.truth(product)
        yield Pair(product, page, truth, _noisy(truth, rng))


def _companions(page: Page, shelf: Shelf, rng: random.Random) -> list[Product]:
    """Products that the page names or does not name, each at most once."""
    named = rng.sample(page.others, len(page.others))
    unnamed = [product for product in shelf if product is not page.subject and product not in page.others]
    rng.shuffle(unnamed)
    number = rng.choices((1, 2, 3), _COMPANIONS_WEIGHTS[page.kind.narrow])[0]
    return [
        (named if named and (not unnamed or rng.random() < _NAMED_SHARE[page.kind.about]) else unnamed).pop()
        for _ in range(number)
    ]


def _noisy(truth: str, rng: random.Random) -> str:
    if rng.random() >= _NOISE:
        return truth
    return rng.choice([label for label in LABELS if label != truth])
