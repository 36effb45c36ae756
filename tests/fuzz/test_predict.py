"""Records given to a bundle in every format: every case ends in answers that add up, or in an error for users."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest

from tests.export.tiny_bundle import shared_bundle
from tests.fuzz.commands import distill
from tests.fuzz.odd_values import damaged, json_line, value
from tests.fuzz.running import fuzz, sized
from tests.fuzz.test_records import table_bytes, write_parquet

pytest.importorskip("onnxruntime")
COLUMNS = ("id", "product.title", "product.defin", "page.title", "page.body", "more")


@sized(50, 1500)
def test_predict(cases, tmp_path):
    shared_bundle()
    fuzz(_one, cases, tmp_path)


def _one(rng: random.Random, work: Path) -> None:
    file, out = work / f"records.{rng.choice(['jsonl', 'csv', 'tsv', 'parquet'])}", work / "answers.jsonl"
    rows = [_row(rng, number) for number in range(rng.randrange(1, 5))]
    if file.suffix == ".parquet":
        write_parquet(file, [_flat(row) for row in rows], COLUMNS, rng)
    elif file.suffix == ".jsonl":
        file.write_bytes(b"\n".join(json_line(row, rng) for row in rows))
    else:
        delimiter = "\t" if file.suffix == ".tsv" else ","
        file.write_bytes(damaged(table_bytes([_flat(row) for row in rows], COLUMNS, delimiter, rng), rng))
    point = rng.choice([[], [], ["--operating-point", rng.choice(["f1", "recall@P>=0.9", "none", "\x00"])]])
    distill("predict", shared_bundle(), file, "--out", out, "--threads", "1", *point)
    for line in out.read_text(encoding="utf-8").split("\n")[:-1]:
        probabilities = json.loads(line)["probabilities"].values()
        assert all(map(math.isfinite, probabilities)) and abs(sum(probabilities) - 1) < 1e-5


def _row(rng: random.Random, number: int) -> dict[str, Any]:
    row: dict[str, Any] = {"id": number, "product": {"title": "дрель Bosch"}, "page": {"title": "купить", "body": "x"}}
    for _ in range(rng.randrange(3)):
        name = rng.choice(["id", "product", "page", "product.title", "page.body", "more"])
        if rng.random() < 0.3 and isinstance(row.get("page"), dict):
            row["page"][rng.choice(["title", "body"])] = value(rng)
        else:
            row[name] = value(rng)
    return row


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    product, page = (row[name] if isinstance(row[name], dict) else {} for name in ("product", "page"))
    cells = {"product.title": product.get("title"), "page.title": page.get("title"), "page.body": page.get("body")}
    return {name: {**cells, **row}.get(name) for name in COLUMNS}
