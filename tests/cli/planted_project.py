"""A project of one teacher and one student that tiny models learn within seconds, and faults to plant in it."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LABELS = ("мимо", "рядом", "точно")
SIGNS = ("ремонт", "аналог", "купить")
THINGS = ("дрель", "пила", "фреза", "лобзик", "рубанок", "ключ", "насос")
ROWS = {"train": 90, "valid": 100, "test": 60, "pool": 40}

PROJECT = """
task: {labels: [мимо, рядом, точно]}
data: {train: train.jsonl, valid: valid.jsonl, test: {unseen: test.jsonl}, pool: {urls: pool.jsonl}}
views: {document: {left: [product.title], right: [page.title, page.body], max_tokens: 24},
        card: {left: [product.title], right: [page.title], max_tokens: 16}}
teachers:
  base:
    checkpoint: null
    fresh: {layers: 2, width: 16, heads: 2, vocabulary: 150}
    training: {epochs: 8, learning_rate: 1e-2, batch_size: 4, dropout: 0, precision: fp32, head_rate: 1}
    labelling: {precision: fp32}
students:
  small:
    preset: 3L
    layers: 1
    training: {epochs: 4, learning_rate: 5e-3, batch_size: 4, dropout: 0, precision: fp32, ceiling_steps: 120}
export: [onnx]
gates: {retention_card: null}
quality: {replicates: 100}
bench: {requests: 8, processes: 1, warmup: 1, minutes: 0, trained_students: false, int8_teachers: false,
        openvino: false}
threads: 1
"""


def write_project(folder: Path, rows: Mapping[str, int] = ROWS) -> Path:
    """The project's files in `folder`; returns the project file."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in rows.items():
        write_rows(folder, split, [_row(split, number) for number in range(count)])
    path = folder / "project.yaml"
    path.write_text(PROJECT, encoding="utf-8")
    return path


def shuffle_labels(folder: Path, splits: tuple[str, ...] = ("train", "valid"), share: float = 1.0) -> None:
    """Deal the labels of a seeded share of the rows out again at random."""
    random_ = random.Random(7)
    for split in splits:
        rows = read_rows(folder, split)
        chosen = random_.sample(rows, round(share * len(rows)))
        labels = [row["label"] for row in chosen]
        random_.shuffle(labels)
        for row, label in zip(chosen, labels, strict=True):
            row["label"] = label
        write_rows(folder, split, rows)


def wrong_labels(folder: Path) -> Path:
    """A file of soft labels, each sure of the class after the right one."""
    path = folder / "wrong.jsonl"
    rows = [
        (row["id"], int(row["id"].rpartition("-")[2]) % 3) for s in ("train", "pool") for row in read_rows(folder, s)
    ]
    lines = [{"id": name, "logits": [6.0 * (index == (right + 1) % 3) for index in range(3)]} for name, right in rows]
    path.write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
    return path


def read_rows(folder: Path, split: str) -> list[dict[str, Any]]:
    """The rows of a file."""
    return [json.loads(line) for line in (folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()]


def write_rows(folder: Path, split: str, rows: list[dict[str, Any]]) -> None:
    """Write the rows of a file."""
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _row(split: str, number: int) -> dict[str, Any]:
    """A row whose page title names the class; the page's body says nothing."""
    index, thing, other = number % 3, THINGS[number % 7], THINGS[number * 3 % 7]
    row: dict[str, Any] = {
        "id": f"{split}-{number}",
        "product": {"title": f"{thing} {split} {number}"},
        "page": {"title": f"{other} {SIGNS[index]}", "body": f"{THINGS[number * 5 % 7]} {number}"},
    }
    return row if split == "pool" else {**row, "label": LABELS[index]}
