"""Web pages of a subject: title, address and body, worded as their kind of page is."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from distill.demo.products import Product
from distill.demo.slots import Slots
from distill.demo.wording import PageKind, wording

_GENERIC_TITLE, _SLUG, _OPENING, _ECHO = 0.15, 0.5, 0.3, 0.6
_WORDS = (60, 125)
_NAMING_NOTHING = 3


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """A page and the products that it names; `opaque` when its title and address name none."""

    id: str
    kind: PageKind
    subject: Product
    others: tuple[Product, ...]
    opaque: bool
    title: str
    url: str
    body: str

    def row(self) -> dict[str, Any]:
        """The page's side of a record."""
        return {"id": self.id, "title": self.title, "url": self.url, "body": self.body}

    def truth(self, product: Product) -> str:
        """What the page is to a product, before label noise."""
        if product is self.subject and self.kind.about:
            return "about_pr"
        return "ment_pr" if product is self.subject or product in self.others else "not_about_pr"


def make_page(page_id: str, kind: PageKind, subject: Product, others: tuple[Product, ...], rng: random.Random) -> Page:
    """A page of `subject` that also names `others`, at least one."""
    slots, opaque = Slots(subject, others, rng), rng.random() < kind.opaque
    generic = opaque or rng.random() < _GENERIC_TITLE
    slug = not opaque and (generic or rng.random() < _SLUG)
    title = slots.fill(rng.choice(kind.opaque_titles if generic else kind.titles))
    url = f"/{kind.path}/{subject.name.slug if slug else rng.randint(1000, 99999)}"
    return Page(page_id, kind, subject, others, opaque, title, url, _body(kind, subject.goods.segment, slots, rng))


def _body(kind: PageKind, segment: str, slots: Slots, rng: random.Random) -> str:
    """Sentences that name products first, as a model reads no more than the first 110 words or so."""
    filler, own = wording().filler, wording().slices[segment].sentences
    subject, others = rng.choice(kind.naming_subject), rng.choice(kind.naming_others)
    plain, *rest = rng.sample(kind.naming_nothing, _NAMING_NOTHING)
    start = rng.choice(([subject, plain, others], [subject, others, plain], [plain, subject, others]))
    if rng.random() < _OPENING:
        start.insert(0, rng.choice(filler.openings))
    echo = [rng.choice(filler.echoes)] if rng.random() < _ECHO else []
    rest = [*echo, *rest, *rng.sample(own, 5), *rng.sample(filler.sentences, 9)]
    rng.shuffle(rest)
    return _filled(start, rest, slots, rng.randint(*_WORDS))


def _filled(start: list[str], rest: list[str], slots: Slots, goal: int) -> str:
    """The starting sentences, then others until there are `goal` words."""
    sentences = [slots.fill(template) for template in start]
    total = sum(len(sentence.split()) for sentence in sentences)
    for template in rest:
        if total >= goal:
            break
        sentences.append(slots.fill(template))
        total += len(sentences[-1].split())
    return " ".join(sentences)
