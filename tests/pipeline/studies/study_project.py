"""A project that words alone learn in no time, with keys, for studies of many cells."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path

from distill.pipeline.settings import Settings, resolve_settings

LABELS = ("мимо", "рядом", "точно")
SIGNS = ("ремонт", "аналог", "купить")
PRODUCTS = 120

PROJECT = """
task: {labels: [мимо, рядом, точно], positive: точно}
data: {train: train.jsonl, valid: valid.jsonl, test: {unseen: test.jsonl}, keys: [product.id, page.id], slice: slice,
       split: {valid: 0.33, test: 0.33}}
views: {document: {left: [product.title], right: [page.title, page.body], max_tokens: 24},
        card: {left: [product.title], right: [page.title], max_tokens: 16}}
teachers: {base: {preset: words}}
students: {}
export: []
gates: {teacher_over_priors: null, validation_rows: 20}
quality: {replicates: 100}
threads: 1
"""


def write_project(folder: Path) -> Path:
    """The project's files; page titles name the class mostly, bodies repeat the title, product titles say nothing."""
    random_ = random.Random(5)
    rows = [_row(number, random_) for number in range(4 * PRODUCTS)]
    for name, own in (("train", rows[:240]), ("valid", rows[240:360]), ("test", rows[360:])):
        lines = [json.dumps(row, ensure_ascii=False) for row in own]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    path = folder / "project.yaml"
    path.write_text(PROJECT, encoding="utf-8")
    return path


def resolver(project: Path, run: Path, *sets: str) -> Callable[[Sequence[str]], Settings]:
    """What resolves a run of the project with more settings on top."""
    return lambda more: resolve_settings(project, run, sets=[*sets, *more])


def _row(number: int, random_: random.Random) -> dict[str, object]:
    product = number % PRODUCTS
    page = product if random_.random() < 0.8 else (product + 1) % PRODUCTS
    index = random_.randrange(3)
    sign = SIGNS[index] if random_.random() < 0.8 else random_.choice(SIGNS)
    title = f"{sign} страница{page} вид{number}"
    return {
        "id": f"р{number}",
        "label": LABELS[index],
        "slice": "old" if number % 2 else "new",
        "product": {"id": f"т{product}", "title": f"товар{product} образец{number}"},
        "page": {"id": f"с{page}", "title": title, "body": f"{title} {title}"},
    }
