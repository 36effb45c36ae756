"""Files of soft labels made elsewhere: every case ends in finite or marked rows, or in an error for users."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distill.core.label_space import LabelSpace
from distill.core.record_store import write_records
from distill.core.records import Record
from distill.core.soft_labels import OK, read_soft_labels
from teachers.config import LabellingConfig
from teachers.import_labels import import_labels
from tests.fuzz.odd_values import damaged, json_line, value
from tests.fuzz.running import fuzz, sized

SPACE = LabelSpace(("мимо", "рядом", "1"))
CONFIGS = [LabellingConfig(shard_rows=4), LabellingConfig(half=True)]
IDS = [*(f"т{i}" for i in range(5)), *(f"п{i}" for i in range(4))]


@pytest.fixture(scope="module")
def records(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("records")
    gold = np.array([1, 0, 0], np.float32)
    write_records(folder / "train.parquet", [Record(name, {"a": "x"}, gold) for name in IDS[:5]])
    write_records(folder / "pool.p.parquet", [Record(name, {"a": "x"}) for name in IDS[5:]])
    return folder


@sized(250, 4000)
def test_soft_labels(cases, tmp_path, records):
    fuzz(lambda rng, work: _one(rng, work, records), cases, tmp_path)


def _one(rng: random.Random, work: Path, records: Path) -> None:
    file, store = work / f"labels.{rng.choice(['jsonl', 'csv', 'tsv', 'parquet'])}", work / "store"
    store.mkdir()
    rows = [{"id": name, "logits": _logits(rng)} for name in IDS]
    if rng.random() < 0.5:
        row = rng.choice(rows)
        row[rng.choice(["id", "logits", "logits", "more"])] = value(rng)
    if rng.random() < 0.2:
        rows.append(rng.choice(rows))
    if rng.random() < 0.1:
        rows.pop()
    write(file, rows, rng)
    import_labels(rng.choice(CONFIGS), file, SPACE, records, store)
    found = read_soft_labels(store)
    assert found.ids == IDS or list(found.ids) == IDS
    usable = np.array([status == OK for status in found.status])
    assert np.isfinite(found.logits[usable]).all()
    assert {path.name for path in work.iterdir()} == {file.name, "store"}


def _logits(rng: random.Random) -> Any:
    numbers = [rng.choice([rng.gauss(0, 3), rng.gauss(0, 1e5), 1, 0.0, -1e30]) for _ in SPACE.labels]
    if rng.random() < 0.05:
        numbers[rng.randrange(3)] = rng.choice([float("nan"), float("inf"), 10**30, 10**400, True, "1.5", None, [1]])
    return dict(zip(SPACE.labels, numbers, strict=True)) if rng.random() < 0.3 else numbers


def write(file: Path, rows: list[dict[str, Any]], rng: random.Random) -> None:
    """The rows in the file's format; cells of tables as JSON text."""
    if file.suffix == ".jsonl":
        file.write_bytes(damaged(b"\n".join(json_line(row, rng) for row in rows), rng))
        return
    cells = [[json.dumps(row.get(name)) for name in ("id", "logits")] for row in rows]
    cells = [[one.strip('"'), other] for one, other in cells]
    if file.suffix == ".parquet":
        pq.write_table(_table(rows, cells), file)
        return
    delimiter = "\t" if file.suffix == ".tsv" else ","
    lines = [delimiter.join([one, '"' + other.replace('"', '""') + '"']) for one, other in cells]
    file.write_bytes(damaged("\n".join([f"id{delimiter}logits", *lines]).encode("utf-8", "replace"), rng))


def _table(rows: list[dict[str, Any]], cells: list[list[str]]) -> pa.Table:
    try:
        return pa.Table.from_pylist([{"id": row["id"], "logits": row["logits"]} for row in rows])
    except (pa.ArrowException, OverflowError, TypeError, ValueError, UnicodeError):
        texts = [[cell.encode("utf-8", "replace").decode() for cell in row] for row in cells]
        return pa.table({"id": [row[0] for row in texts], "logits": [row[1] for row in texts]})
