"""One row for each request that was timed: what was asked, what model and reference answered, how long it took."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.bench import Measured
from benchmarks.requests import Row
from benchmarks.subjects import reference
from benchmarks.timing import NS_PER_MS
from distill.core.errors import UserError
from distill.core.files import replacing
from distill.core.record_store import read_records, splits

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("input_sha256", pa.string()),
        ("model", pa.string()),
        ("process", pa.int32()),
        ("total_ms", pa.float64()),
        ("tokenise_ms", pa.float64()),
        ("logits", pa.list_(pa.float32())),
        ("reference", pa.string()),
        ("reference_logits", pa.list_(pa.float32())),
    ]
)
"""The columns. input_sha256: of the record's fields as JSON with sorted keys. reference: the document teacher in
PyTorch, whose answer to the same record stands beside the model's."""


def record_ids(run: Path) -> list[str]:
    """The ids of all test records of a run, in the order in which requests are drawn from them."""
    records = run / "records"
    tests = [split for split in splits(records) if split.startswith("test.")]
    return [record.id for split in tests for record in read_records(records, split)]


def write_requests(path: Path, measured: Measured, ids: list[str]) -> None:
    """Write one row for each request of each process that counts, batch 1.

    Raises: UserError when the file cannot be written, or batch 1 was not measured.
    """
    from pyarrow import parquet

    if 1 not in measured.bench.config.batch:
        raise UserError("there are no single requests to keep", where="--records", do="measure batch 1, too")
    table = pa.Table.from_pylist(list(_rows(measured, ids)), schema=SCHEMA)
    with replacing(path) as partial:
        parquet.write_table(table, partial)


def _rows(measured: Measured, ids: list[str]) -> Iterator[dict[str, Any]]:
    first = reference(list(measured.bench.subjects))
    beside = measured.rounds[first.name][0]["logits"] if first else None
    for subject in measured.bench.subjects:
        rows = measured.bench.rows_by_view[subject.view]
        hashes = [_hash(rows[position]) for position in measured.positions]
        for number, one in enumerate(measured.rounds[subject.name]):
            samples = one["batches"]["1"]
            for at, (total, tokenise) in enumerate(zip(samples["total_ns"], samples["tokenise_ns"], strict=True)):
                yield {
                    "id": ids[measured.positions[at]],
                    "input_sha256": hashes[at],
                    "model": subject.name,
                    "process": number,
                    "total_ms": total / NS_PER_MS,
                    "tokenise_ms": tokenise / NS_PER_MS,
                    "logits": one["logits"][at],
                    "reference": first and first.name,
                    "reference_logits": beside and beside[at],
                }


def _hash(row: Row) -> str:
    return hashlib.sha256(json.dumps(dict(row), sort_keys=True, ensure_ascii=False, default=str).encode()).hexdigest()
