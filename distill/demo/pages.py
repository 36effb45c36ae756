"""Web pages of a subject: title, address and body, worded by a form."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from distill.demo import filler
from distill.demo.forms import Form
from distill.demo.products import Product
from distill.demo.words import Words

_GENERIC_TITLE, _SLUG, _OPENING, _ECHO = 0.15, 0.5, 0.3, 0.6
_WORDS = (60, 125)
_EXTRAS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """A page and the products that it names; `opaque` when its title and address name none."""

    id: str
    form: Form
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
        if product is self.subject and self.form.about:
            return "about_pr"
        return "ment_pr" if product is self.subject or product in self.others else "not_about_pr"


def make_page(page_id: str, form: Form, subject: Product, others: tuple[Product, ...], rng: random.Random) -> Page:
    """A page of `subject` that also names `others`, at least one."""
    words, opaque = Words(subject, others, rng), rng.random() < form.opaque
    generic = opaque or rng.random() < _GENERIC_TITLE
    slug = not opaque and (generic or rng.random() < _SLUG)
    title = words.fill(rng.choice(form.opaque_titles if generic else form.titles))
    url = f"/{form.path}/{subject.name.slug if slug else rng.randint(1000, 99999)}"
    return Page(page_id, form, subject, others, opaque, title, url, _body(form, subject.kind.segment, words, rng))


def _body(form: Form, segment: str, words: Words, rng: random.Random) -> str:
    """Sentences that name products first, as a model reads no more than the first 110 words or so."""
    lead, other, extras = rng.choice(form.leads), rng.choice(form.others), rng.sample(form.extras, _EXTRAS)
    start = rng.choice(([lead, extras[0], other], [lead, other, extras[0]], [extras[0], lead, other]))
    if rng.random() < _OPENING:
        start.insert(0, rng.choice(filler.OPENINGS))
    echo = [rng.choice(filler.ECHOES)] if rng.random() < _ECHO else []
    rest = [*echo, *extras[1:], *rng.sample(filler.BY_SLICE[segment], 5), *rng.sample(filler.COMMON, 9)]
    rng.shuffle(rest)
    return _filled(start, rest, words, rng.randint(*_WORDS))


def _filled(start: list[str], rest: list[str], words: Words, goal: int) -> str:
    """The starting sentences, then others until there are `goal` words."""
    sentences = [words.fill(template) for template in start]
    total = sum(len(sentence.split()) for sentence in sentences)
    for template in rest:
        if total >= goal:
            break
        sentences.append(words.fill(template))
        total += len(sentences[-1].split())
    return " ".join(sentences)
