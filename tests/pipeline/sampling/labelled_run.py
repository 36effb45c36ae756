"""A run folder with records and labels, made without training anything."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from distill.core.files import write_json
from distill.core.label_origin import Origin
from distill.core.manifest import digest, write_manifest
from distill.core.record_store import write_records
from distill.core.records import Record
from distill.core.soft_labels import SoftLabels, statuses, write_shard
from distill.core.staged import StageCost, Staged, write_staged
from distill.core.steps import Read
from teachers.label_origins import records_hash
from tests.training.toy import CARD, DOCUMENT, LABELS, toy_records

POOL, POOL_FILE = 90, "pool.urls"


def gold_of(name: str) -> str:
    """The right label of a row."""
    return LABELS[int(name[1:]) % 3]


def pool_records(count: int = POOL) -> list[Record]:
    """Rows whose titles are all different but for each tenth, which repeats the one before; two slices in turn."""
    rows = []
    for number, row in enumerate(toy_records("п", count, labelled=False)):
        fields = {**row.fields, "product.title": f"=дрель {number - (number % 10 == 9)}"}
        if number % 10 == 9:
            fields["page.title"] = rows[-1].fields["page.title"]
        rows.append(Record(row.id, fields, None, "стройка" if number % 2 else "аптека", row.keys))
    return rows


def write_run(run: Path, *teachers: str) -> Path:
    """A run whose teachers label its pool: stage one is right, two says one class, the last 15 rows have no label."""
    (run / "records").mkdir(parents=True)
    write_records(run / "records" / "train.parquet", toy_records("т", 12))
    rows = pool_records()
    write_pool(run, rows)
    views = {"document": DOCUMENT.as_json(), "card": CARD.as_json()}
    write_json(run / "run.json", {"config": {"task": {"labels": list(LABELS)}, "views": views}, "stages": []})
    for shift, name in enumerate(teachers):
        write_labels(run / "labels" / name, rows, shift)
    return run


def write_pool(run: Path, rows: list[Record]) -> None:
    """The run's pool, with the manifest of its records."""
    write_records(run / "records" / f"{POOL_FILE}.parquet", rows)
    content = {"step": "records", "version": 1, "fingerprint": f"of {len(rows)}", "inputs": {}, "seconds": 0.0}
    write_manifest(run / "records", content)


def write_labels(folder: Path, rows: list[Record], shift: int = 0, *, imported: bool = False) -> None:
    """A finished store of the run's pool. Args: shift: of how many rows the class is another one. imported: whether its
    shards do not say what they are of, and its manifest does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    records = folder.parents[1] / "records"
    hashes = {POOL_FILE: records_hash(records, POOL_FILE)}
    origin = None if imported else Origin("teacher", "view", LABELS, hashes, {POOL_FILE: [0, len(rows)]}, "fp32")
    read = Read("records", (f"{POOL_FILE}.parquet",))
    inputs = {str(read): digest(records, read.files)} if imported else {}
    right = [number % 3 for number in range(len(rows))]
    stages = ["one" if number < 60 else "two" if number < 75 else "" for number in range(len(rows))]
    said = [
        0 if stage == "two" else (own + (number < shift)) % 3
        for number, (own, stage) in enumerate(zip(right, stages, strict=True))
    ]
    sure = np.where(np.arange(len(rows)) % 2, 0.9, 0.6)
    chances = np.stack([np.where(np.arange(3) == own, p, (1 - p) / 2) for own, p in zip(said, sure, strict=True)])
    counts, ids = np.ones(len(rows), np.int32), [row.id for row in rows]
    logits = np.log(chances).astype(np.float32)
    status = statuses(logits, counts, stages)
    write_staged(folder, 0, ids, Staged(stages, sure.astype(np.float32), {"one": StageCost(), "two": StageCost()}))
    labels = SoftLabels(ids, [POOL_FILE] * len(rows), logits, counts, counts, status)
    write_shard(folder, 0, labels, origin=origin)
    content = {"step": "label", "version": 1, "fingerprint": f"made {shift}", "inputs": inputs, "seconds": 0.0}
    write_manifest(folder, content)
