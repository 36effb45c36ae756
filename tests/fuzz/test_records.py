"""Files of records in every format: every case ends in clean records and an audit, or in an error for users."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distill.core.config import merge, parse
from distill.core.files import read_json
from distill.core.guessing.starter import guess, preview
from distill.core.intake.audit import audit
from distill.core.intake.prepare import prepare
from distill.core.project import Project
from distill.core.record_store import iter_records, splits
from distill.report.audit_lines import audit_lines
from tests.fuzz.odd_values import STAMPS, damaged, json_line, text, value
from tests.fuzz.running import fuzz, sized

LABELS = ["мимо", "рядом", "1"]
FORMATS = ("jsonl", "jsonl.gz", "csv", "tsv", "csv.gz", "parquet")
COLUMNS = ("id", "label", "title", "body", "key", "seg", "note")
PROJECT: dict[str, Any] = {
    "task": {"labels": LABELS},
    "views": {
        "document": {"left": ["title"], "right": ["body"], "max_tokens": 32},
        "card": {"left": ["title"], "max_tokens": 16},
    },
}
OPTIONS: list[dict[str, Any]] = [
    {"data": {"keys": ["key"], "slice": "seg"}},
    {"data": {"id": None}},
    {"data": {"quotes": "double"}},
    {"data": {"quotes": "none", "encoding": "cp1251"}},
    {"data": {"on_bad_row": "fail"}},
    {"data": {"on_leak": "drop_train", "pool_exclude": "side"}},
    {"data": {"junk": {"min_chars": 0, "repeated": 0.5}}},
    {"task": {"kind": "multi"}},
    {"data": {"encoding": "latin-1"}},
    {"views": {"document": {"left": ["title", "note.a"], "budgets": {"title": 3}, "windows": {"stride": 1}}}},
]


@sized(200, 8000)
def test_records(cases, tmp_path):
    fuzz(_one, cases, tmp_path)


def _one(rng: random.Random, work: Path) -> None:
    data, out = work / "data", work / "run"
    data.mkdir()
    values = merge(PROJECT, {"data": {"root": str(data), "split": {"valid": 0.3}}})
    for _ in range(rng.randrange(3)):
        values = merge(values, rng.choice(OPTIONS))
    files = {source: write(data, source, rng) for source in ("train", "test", "pool", "valid")}
    values["data"] |= {"train": files["train"], "test": {"t": files["test"]}}
    values["data"] |= {"pool": {"p": files["pool"]}} if rng.random() < 0.4 else {}
    values["data"] |= {"valid": files["valid"]} if rng.random() < 0.4 else {}
    if rng.random() < 0.1:
        preview(guess([data / files["train"], data / files["test"]], work))
    project = parse(Project, values, "project.yaml")
    prepare(project, out / "records")
    audit(project, out / "records", out / "audit")
    found = read_json(out / "audit" / "audit.json")
    audit_lines(found, {name: view.max_tokens for name, view in project.views.items()})
    for line in (out / "records" / "quarantine.jsonl").read_text("utf-8").split("\n")[:-1]:
        json.loads(line)
    for split in splits(out / "records"):
        for record in iter_records(out / "records", split):
            assert record.target is None or np.isfinite(record.target).all()
            " ".join([record.id, *record.fields.values()]).encode()
    assert {path.name for path in work.iterdir()} == {"data", "run"}


def write(folder: Path, source: str, rng: random.Random) -> str:
    """A file of a few plain rows and some odd ones; returns its name."""
    name = f"{source}.{rng.choice(FORMATS)}"
    rows = [_plain(source, number) for number in range(9)]
    for _ in range(rng.randrange(4)):
        row = _plain(source, rng.randrange(20))
        for column in rng.sample(COLUMNS, rng.randrange(1, 4)):
            row[column] = value(rng)
        rows.append(row)
    rng.shuffle(rows)
    path = folder / name
    if name.endswith("parquet"):
        write_parquet(path, rows, COLUMNS, rng)
        return name
    lines = [json_line(row, rng) for row in rows]
    raw = b"\n".join(lines) if "jsonl" in name else table_bytes(rows, COLUMNS, "\t" if "tsv" in name else ",", rng)
    raw = damaged(raw, rng)
    path.write_bytes(gzip.compress(raw)[: rng.choice([None, None, None, -3])] if name.endswith("gz") else raw)
    return name


def _plain(source: str, number: int) -> dict[str, Any]:
    return {
        "id": f"{source}{number}",
        "label": LABELS[number % 3],
        "title": f"дрель {source} {number}",
        "body": f"текст {number}",
        "key": f"k{source}{number // 2}",
        "seg": "аб"[number % 2],
        "note": {"a": "x"},
    }


def table_bytes(rows: list[dict[str, Any]], header: Sequence[str], delimiter: str, rng: random.Random) -> bytes:
    """A CSV or TSV file, sometimes with columns too many, in one of several encodings."""
    quoting = rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONE])
    file = io.StringIO()
    options = {"delimiter": delimiter, "quoting": quoting, "escapechar": "\\"}
    writer = csv.writer(file, lineterminator=rng.choice(["\n", "\r\n", "\r"]), **options)
    writer.writerow([*header, *rng.choice([[], ["", ""], [header[-1]], [text(rng)]])])
    for row in rows:
        cells = [json.dumps(cell) if isinstance(cell, dict | list) else cell for cell in row.values()]
        writer.writerow([*cells, *([text(rng)] if rng.random() < 0.1 else [])])
    encoding = rng.choice(["utf-8", "utf-8", "utf-8-sig", "cp1251", "koi8-r", "utf-16"])
    return file.getvalue().encode(encoding, "surrogatepass" if encoding == "utf-8" else "replace")


TYPES = [
    *(
        pa.date32(),
        pa.timestamp("ns"),
        pa.timestamp("s", "UTC"),
        pa.time64("ns"),
        pa.duration("ns"),
    ),
    *(
        pa.decimal128(30, 3),
        pa.binary(),
        pa.float16(),
        pa.uint64(),
        pa.bool_(),
        pa.null(),
        pa.large_string(),
        pa.int8(),
    ),
    *(pa.list_(pa.string()), pa.struct([("a", pa.float32())]), pa.map_(pa.string(), pa.int32())),
    pa.dictionary(pa.int8(), pa.string()),
]


def write_parquet(path: Path, rows: list[dict[str, Any]], header: Sequence[str], rng: random.Random) -> None:
    """A Parquet file of texts, some columns of any other type."""
    arrays = {column: [row[column] for row in rows] for column in header}
    table = {}
    for column, cells in arrays.items():
        odd = rng.random() < 0.15
        table[column] = _array(rng.choice(TYPES), len(cells), rng) if odd else _text_array(cells)
    names, columns = list(table), list(table.values())
    if rng.random() < 0.05:
        names, columns = [*names, rng.choice(names)], [*columns, columns[0]]
    pq.write_table(pa.Table.from_arrays(columns, names=names), path)
    if rng.random() < 0.05:
        path.write_bytes(damaged(path.read_bytes(), random.Random(1)))


def _array(kind: pa.DataType, size: int, rng: random.Random) -> pa.Array:
    """An array of any type: of odd values where it takes them, else of bytes read as that type, else of nulls."""
    for cells in ([rng.choice([*STAMPS, None, 1, "x"])] * size, [rng.randrange(2**40)] * size, [["x"]] * size):
        try:
            return pa.array(cells, kind)
        except (pa.ArrowException, OverflowError, TypeError, ValueError, AttributeError):
            continue
    if pa.types.is_temporal(kind) or pa.types.is_floating(kind):
        return pa.Array.from_buffers(kind, size, [None, pa.py_buffer(rng.randbytes(size * kind.bit_width // 8))])
    return pa.nulls(size, kind)


def _text_array(cells: list[Any]) -> pa.Array:
    texts = [cell if isinstance(cell, str) else json.dumps(cell) for cell in cells]
    return pa.array([text.encode("utf-8", "replace").decode() for text in texts])


@pytest.mark.parametrize("depth", [300, 900, 980])
def test_nesting_below_the_parsers_limit_is_a_bad_row(tmp_path, depth):
    """Python's JSON reads it, but what walks through it again may not be able to."""
    deep = '{"id": "x", "label": "1", "title": ' + '{"a":' * depth + "1" + "}" * depth + "}"
    rows = [json.dumps(_plain("train", number)) for number in range(30)]
    (tmp_path / "train.jsonl").write_text("\n".join([*rows, deep]), encoding="utf-8")
    (tmp_path / "test.jsonl").write_text("\n".join(json.dumps(_plain("test", n)) for n in range(9)), encoding="utf-8")
    data = {"root": str(tmp_path), "train": "train.jsonl", "test": {"t": "test.jsonl"}, "split": {"valid": 0.3}}
    prepare(parse(Project, merge(PROJECT, {"data": data}), "project.yaml"), tmp_path / "records")
    bad = (tmp_path / "records" / "quarantine.jsonl").read_text("utf-8")
    assert bad.count("\n") == 1 and ("wrong_type" in bad or "nested too deep" in bad)
