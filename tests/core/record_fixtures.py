"""Small Cyrillic data sets on disk, and the project that reads them."""

import gzip
import json
from pathlib import Path
from typing import Any

from distill.core.config import merge, parse
from distill.core.files import read_json
from distill.core.intake.audit import audit
from distill.core.intake.prepare import prepare
from distill.core.project import Project
from distill.core.record_store import read_records

PROJECT: dict[str, Any] = {
    "task": {"labels": ["мимо", "рядом", "точно"], "positive": "точно"},
    "data": {
        "label": "метка",
        "slice": "segment",
        "keys": ["product.id", "page.id"],
        "train": ["train.jsonl"],
        "valid": ["valid.jsonl"],
        "test": {"seen": "test.jsonl"},
        "pool": {"urls": "pool.jsonl"},
    },
    "views": {
        "document": {
            "left": ["product.title"],
            "right": ["page.title", "page.body"],
            "max_tokens": 32,
            "budgets": {"page.body": 12},
        },
        "card": {"left": ["product.title"], "right": ["page.title"], "max_tokens": 16},
    },
}
LABELS = PROJECT["task"]["labels"]


def project(**data: Any) -> Project:
    """The project with settings of `data` laid over it."""
    return parse(Project, merge(PROJECT, {"data": data}), "test")


def prepare_and_audit(plan: Project, records: Path, **options: Any) -> dict[str, Any]:
    """Make the records folder and, next to it, the folder `audit`; returns the content of `audit.json`.

    Options: base: of `prepare`. tokenizers: of `audit`.
    """
    tokenizers = options.pop("tokenizers", None)
    prepare(plan, records, **options)
    audit(plan, records, records.parent / "audit", tokenizers=tokenizers)
    found: dict[str, Any] = read_json(records.parent / "audit" / "audit.json")
    return found


def row(name: str, number: int, label: str | None = None, **over: Any) -> dict[str, Any]:
    """One row; `number` makes its texts its own."""
    values: dict[str, Any] = {
        "id": name,
        "product": {"id": number, "title": f"Дрель ударная №{number}"},
        "page": {
            "id": f"p{number}",
            "title": f"Купить дрель {number} ёмкость",
            "body": f"Описание товара {number}. " * 3,
        },
        "segment": "стройка" if number % 2 else "аптека",
        **({} if label is None else {"метка": label}),
    }
    return merge(values, over)


def rows(prefix: str, count: int, start: int, labelled: bool = True) -> list[dict[str, Any]]:
    """Rows with all labels in turn."""
    return [row(f"{prefix}{i}", start + i, LABELS[i % 3] if labelled else None) for i in range(count)]


def write(path: Path, lines: list[Any]) -> Path:
    """JSON lines; a str or bytes is written as it is."""
    raw = [line if isinstance(line, bytes) else _text(line).encode() for line in lines]
    data = b"".join(line + b"\n" for line in raw)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def write_all(root: Path, **over: list[Any]) -> Path:
    """Clean files train, valid, test and pool in `root`, some replaced or extended by name."""
    files = {
        "train": rows("т", 12, 0),
        "valid": rows("в", 6, 100),
        "test": rows("э", 6, 200),
        "pool": rows("п", 9, 300, labelled=False),
    }
    for name, lines in (files | over).items():
        write(root / f"{name}.jsonl", lines)
    return root


def _text(line: Any) -> str:
    return line if isinstance(line, str) else json.dumps(line, ensure_ascii=False)


def run(root, **data):
    """Prepare and audit the files of a folder; the records artifact and the audit."""
    out = root / "records"
    return out, prepare_and_audit(project(root=str(root), **data), out)


def ids(out, split):
    """The ids of a split, in order."""
    return [record.id for record in read_records(out, split)]
