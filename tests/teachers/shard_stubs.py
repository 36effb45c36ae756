"""Records, and a model that is known to the last bit, for tests of labelling that need no weights."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from distill.core.files import write_json
from distill.core.record_store import write_records
from distill.core.records import Record
from distill.families.family import CONFIG_FILE
from distill.inference.scorer import Scorer
from teachers.label_origins import Origins
from teachers.label_shard import Writing

ORIGINS = Origins("t" * 64, "v" * 64, ("a", "b"), "fp32")
WRITING = Writing(ORIGINS)


@dataclass(frozen=True)
class Words:
    """A text as the stub reads it."""

    text: str
    tokens: int
    cut_tokens: int = 0

    @property
    def read_tokens(self) -> int:
        """All."""
        return self.tokens


@dataclass
class Stub(Scorer):
    """Logits that are a checksum of the text. Attributes: bad: in texts without finite ones. asked: what was scored."""

    bad: str = "\0"
    speaks: bool = True
    asked: list[str] = field(default_factory=list)

    def prepare(self, rows):
        return [Words(row["page.title"], len(row["page.title"].split())) for row in rows]

    def answer(self, prepared, on_progress=None):
        self.asked += [one.text for one in prepared]
        if on_progress:
            on_progress(len(prepared))
        sums = [zlib.crc32(one.text.encode()) % 1000 / 100 for one in prepared]
        return np.array(
            [[np.nan if self.bad in one.text else value, -value] for one, value in zip(prepared, sums, strict=True)],
            np.float32,
        )

    def keys(self, prepared):
        return [one.text for one in prepared] if self.speaks else None


def silent_model(folder: Path) -> Path:
    """A model that does not say what it reads, so that no two rows are known to read alike; returns its folder."""
    write_json(folder / CONFIG_FILE, {})
    return folder


def write_texts(folder: Path, split: str, texts: list[str]) -> Path:
    """Records of these texts; returns their folder."""
    rows = [Record(f"{split}-{row}", {"page.title": text}) for row, text in enumerate(texts)]
    write_records(folder / f"{split}.parquet", rows)
    return folder


def records(folder: Path, pool: int = 30) -> Path:
    """12 training rows and a pool; every fifth text of the pool is one that came before in the same shard of 10."""
    write_texts(folder, "train", [f"дрель {row}" for row in range(12)])
    return write_texts(folder, "pool.urls", [f"бур {row - row % 5 // 4 * 4}" for row in range(pool)])
