"""Texts of four kinds from `pool_text`: a few with their kind as label, and a pool without."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from distill.core.errors import UserError
from distill.core.files import Json, write_text
from distill.core.intake.hashing import unit

LABELS = ("film", "business", "politics", "science")
# Rows of each kind in each split: the pool is as uneven as texts of the world are.
ROWS = {
    "train": {"film": 120, "business": 120, "politics": 120, "science": 120},
    "valid": {"film": 200, "business": 180, "politics": 80, "science": 100},
    "test": {"film": 100, "business": 100, "politics": 100, "science": 100},
    "pool": {"film": 900, "business": 800, "politics": 300, "science": 400},
}
_SEED, _FEWEST_WORDS = 1, 20
_KINDS: dict[str, tuple[str, Callable[[str], bool]]] = {
    "film": ("imdb_reviews_a", lambda source: True),
    "business": ("reuters21578", lambda source: True),
    "politics": ("nltk_misc_english", lambda source: source.startswith(("nltk_state_union", "nltk_inaugural"))),
    "science": ("nltk_misc_english", lambda source: source.startswith("nltk_abc/science")),
}


def write_texts(raw: Path, folder: Path) -> dict[str, str]:
    """Write `train`, `valid`, `test` and `pool` into `folder`; returns the kind of every text of the pool by id.

    Which rows go where is decided by a seeded hash of their ids.

    Args: raw: the folder `pool_text`. Raises: UserError where it is not there.
    """
    splits: dict[str, list[Json]] = {name: [] for name in ROWS}
    for label in LABELS:
        rows = sorted(_of_kind(raw, label), key=lambda row: unit(_SEED, "cascade", row["id"]))
        for split, counts in ROWS.items():
            taken, rows = rows[: counts[label]], rows[counts[label] :]
            splits[split] += [{**row, "label": label} for row in taken]
    kinds = {row["id"]: row["label"] for row in splits["pool"]}
    splits["pool"] = [{"id": row["id"], "text": row["text"]} for row in splits["pool"]]
    for split, rows in splits.items():
        write_text(folder / f"{split}.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return kinds


def _of_kind(raw: Path, label: str) -> Iterator[Json]:
    name, wanted = _KINDS[label]
    path = raw / f"{name}.jsonl.gz"
    if not path.is_file():
        raise UserError("the texts are not there", where=str(path), do="give the folder pool_text with --data")
    seen = set[str]()
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            text = row["text"].replace("<br />", " ")
            if wanted(row["source"]) and len(text.split()) >= _FEWEST_WORDS and text[:60] not in seen:
                seen.add(text[:60])
                yield {"id": row["id"], "text": text}
