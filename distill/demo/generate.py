"""A small project from a seed: products, web pages about them, and a pool with the faults that pools have."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from itertools import count, islice
from pathlib import Path
from typing import Any

from distill.core.files import write_text
from distill.demo.world import BRANDS, FILLERS, FORMS, KINDS, SERIES, Form, Kind

Row = dict[str, Any]

_FORMS_PER_PRODUCT = 5
_MAX_FILLERS = 4
# Shares of the pool.
_DUPLICATES, _JUNK, _TEST_PAIRS = 0.05, 0.08, 0.02


@dataclass(frozen=True)
class Sizes:
    """Rows of each file."""

    train: int = 600
    valid: int = 200
    test: int = 300
    pool: int = 800


SMALL = Sizes()


@dataclass(frozen=True)
class Product:
    """A product of the generated shop."""

    id: str
    kind: Kind
    brand: str
    title: str
    feature: str

    def row(self) -> Row:
        """The product's side of a record."""
        return {
            "id": self.id,
            "title": self.title,
            "subtitle": ", ".join(self.kind.features[:2]),
            "main_type": self.kind.name,
            "defin": self.kind.definition,
            "brand": self.brand,
        }


def generate(folder: Path, seed: int = 1, sizes: Sizes = SMALL) -> None:
    """Write `project.yaml`, `train.jsonl`, `valid.jsonl`, `test.jsonl` and `pool.jsonl` into `folder`.

    The same seed and sizes give the same bytes. No product and no page stands in two labelled files. The pool holds no
    labels, but duplicates, junk, pairs of the test file and two bad rows, so that an audit has something to find.

    Raises: UserError when the folder cannot be written.
    """
    rng = random.Random(seed)
    models = _models(rng)
    rows = {name: list(islice(_records(name, rng, models), size)) for name, size in vars(sizes).items()}
    for name in ("train", "valid", "test"):
        _write(folder / f"{name}.jsonl", [json.dumps(row, ensure_ascii=False) for row in rows[name]])
    _write(folder / "pool.jsonl", _pool(rows["pool"], rows["test"], rng))
    write_text(folder / "project.yaml", files("distill.demo").joinpath("project.yaml").read_text(encoding="utf-8"))


def _records(split: str, rng: random.Random, models: Iterator[str]) -> Iterator[Row]:
    """Labelled records without end: one shelf of products after another, each product with several pages."""
    pages: dict[tuple[str, str], Row] = {}
    number = 0
    while True:
        for product, other, form in _shelf(split, rng, models):
            number += 1
            yield {
                "id": f"{split}-{number:05d}",
                "segment": product.kind.segment,
                "label": form.label,
                "product": product.row(),
                "page": _page(split, form, product, other, pages, rng),
            }


def _shelf(split: str, rng: random.Random, models: Iterator[str]) -> list[tuple[Product, Product, Form]]:
    """Two products of each kind, each with the other one and with different forms of pages; shuffled."""
    pairs = []
    for kind in KINDS:
        first, second = (_product(split, kind, next(models)) for _ in range(2))
        forms = [form for form in FORMS if form.language == kind.language]
        for product, other in ((first, second), (second, first)):
            pairs += [(product, other, form) for form in rng.sample(forms, _FORMS_PER_PRODUCT)]
    rng.shuffle(pairs)
    return pairs


def _product(split: str, kind: Kind, model: str) -> Product:
    name = f"{kind.name} {model}"
    feature = kind.features[len(model) % len(kind.features)]
    return Product(f"{split}-{model.replace(' ', '-')}", kind, model.split()[0], name[0].upper() + name[1:], feature)


def _models(rng: random.Random) -> Iterator[str]:
    """Brand and model code of every product, none twice, short codes first."""
    for digits in count(2):
        numbers = range(10 ** (digits - 1), 10**digits)
        models = [f"{brand} {series}{number}" for brand in BRANDS for series in SERIES for number in numbers]
        rng.shuffle(models)
        yield from models


def _page(
    split: str, form: Form, product: Product, other: Product, pages: dict[tuple[str, str], Row], rng: random.Random
) -> Row:
    """The page of a form; records for which it is worded alike share one page."""
    subject = other if "{other}" in form.title else product
    words = {
        "product": product.title,
        "other": other.title,
        "feature": subject.feature,
        "accessory": product.kind.accessory,
        "plural": product.kind.plural,
        "brand": product.brand,
    }
    title, body = form.title.format(**words), form.body.format(**words)
    if (title, body) not in pages:
        fillers = rng.sample(FILLERS[form.language], rng.randint(0, _MAX_FILLERS))
        pages[title, body] = {
            "id": f"{split}-w{len(pages) + 1:05d}",
            "title": title[0].upper() + title[1:],
            "url": f"/{form.path}/{subject.kind.segment}",
            "body": " ".join([body, *fillers]),
        }
    return pages[title, body]


def _pool(rows: list[Row], test: list[Row], rng: random.Random) -> list[str]:
    """The lines of the pool: `rows` without labels, some replaced by faults, and two lines that no reader accepts."""
    pool = [{key: value for key, value in row.items() if key != "label"} for row in rows]
    total = len(pool)
    spots = iter(rng.sample(range(total), total))
    for spot in islice(spots, int(total * _DUPLICATES)):
        pool[spot] = {**rng.choice(pool), "id": pool[spot]["id"]}
    for spot in islice(spots, int(total * _JUNK)):
        pool[spot] = {**pool[spot], "page": {**pool[spot]["page"], **_junk(rng)}}
    for spot in islice(spots, int(total * _TEST_PAIRS)):
        leaked = rng.choice(test)
        pool[spot] = {**pool[spot], "product": leaked["product"], "page": leaked["page"]}
    lines = [json.dumps(row, ensure_ascii=False) for row in pool]
    return [*lines, lines[0], lines[-1][: len(lines[-1]) // 2]]


def _junk(rng: random.Random) -> Row:
    return rng.choice([
        {"title": ""},
        {"title": "404 Not Found", "body": ""},
        {"body": "купить дешево " * 20},
    ])  # fmt: skip


def _write(path: Path, lines: list[str]) -> None:
    write_text(path, "\n".join(lines) + "\n")
