"""What the parts that measure speed work on: models with random weights, and rows of a known mix of lengths."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.gpu.job import Job
from distill.core.files import remove
from distill.core.label_space import LabelSpace
from distill.core.project import ViewConfig
from distill.core.record_store import write_records
from distill.core.records import Record
from distill.core.soft_labels import SoftLabels, shard_ranges, write_shard
from distill.core.view import TOKENIZER_FILE, View
from distill.models.fresh import Shape, make_encoder

SPACE = LabelSpace(("no", "maybe", "yes"))
DOCUMENT = ViewConfig(left=["left"], right=["right"], max_tokens=256)
CARD = ViewConfig(left=["left"], right=["right"], max_tokens=64)
MIX_TOKENS, CARD_TOKENS, VOCABULARY = 160, 25, 30_000
"""Mean tokens of a pair of documents, of a card, and pieces that a model has embeddings for."""
_HEAD_WIDTH, _SHARD_ROWS = 64, 8192


def pairs(prefix: str, tokens: int, count: int | None = None) -> Iterator[Record]:
    """Records of two texts, equal for equal prefixes: half as long to one and a half times as long as `tokens`.

    A word is about one piece of a tokenizer that was trained on such words.
    """
    chance, numbers = random.Random(prefix), iter(range(count)) if count is not None else iter(int, 1)
    words = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in ("n", "rt", "lk", "st", "m", "sh")]
    for number, _ in enumerate(numbers):
        total = max(4, round(tokens * chance.uniform(0.5, 1.5)) - 3)
        text = chance.choices(words, k=total)
        fields = {"left": " ".join(text[: total // 3]), "right": " ".join(text[total // 3 :])}
        yield Record(f"{prefix}{number}", fields, SPACE.target(SPACE.labels[number % 3]))


def encoder(job: Job, layers: int, width: int, *, wide: bool = False) -> Path:
    """A BERT of this shape with random weights, as a Hugging Face folder; made once, kept in the work folder.

    Args: wide: with as many embeddings as a real one, which count where an optimiser moves them.
    """
    folder = _of(job, layers, width) / ("wide" if wide else "encoder")
    if not (folder / "config.json").is_file():
        making = folder.with_name("making")
        remove(making)
        making.mkdir(parents=True)
        texts = (text for row in pairs("words", MIX_TOKENS, 200) for text in row.fields.values())
        make_encoder(texts, making, Shape(layers, width, width // _HEAD_WIDTH, VOCABULARY), 1)
        if wide:
            _widen(making)
        making.rename(folder)
    return folder


def _widen(folder: Path) -> None:
    from transformers import AutoModel

    model = AutoModel.from_pretrained(folder)
    model.resize_token_embeddings(VOCABULARY, mean_resizing=False)
    model.save_pretrained(folder)


def _of(job: Job, layers: int, width: int) -> Path:
    return job.work / "inputs" / f"{layers}x{width}"


def classifier(job: Job, layers: int, width: int, view: ViewConfig) -> Path:
    """A classifier of this shape with random weights and a view, as a finished model folder; made once."""
    from transformers import AutoModelForSequenceClassification

    name = "card" if view is CARD else "document"
    folder = _of(job, layers, width) / name
    if not (folder / "view.json").is_file():
        source, making = encoder(job, layers, width), folder.with_name(f"{name}.making")
        remove(making)
        labels = {"id2label": dict(enumerate(SPACE.labels)), "label2id": {one: i for i, one in enumerate(SPACE.labels)}}
        model = AutoModelForSequenceClassification.from_pretrained(source, num_labels=len(SPACE.labels), **labels)
        model.save_pretrained(making)
        (making / TOKENIZER_FILE).write_bytes((source / TOKENIZER_FILE).read_bytes())
        View(name, view, making / TOKENIZER_FILE).save(making)
        making.rename(folder)
    return folder


def records(job: Job, name: str, tokens: int, train: int, pool: int = 0) -> Path:
    """A records artifact of `train` rows, 64 for validation and a pool; made anew, which takes under a second per 10^5.

    Args: name: of its folder. tokens: mean of a row.
    """
    folder = job.work / "inputs" / name / "records"
    remove(folder)
    write_records(folder / "train.parquet", pairs("t", tokens, train))
    write_records(folder / "valid.parquet", pairs("v", tokens, 64))
    if pool:
        rows = (Record(row.id, row.fields) for row in pairs("p", tokens, pool))
        write_records(folder / "pool.web.parquet", rows)
    return folder


def labels(folder: Path, train: int) -> Path:
    """A store of random soft labels for the training rows of `records`. Args: folder: where it goes."""
    remove(folder)
    ids = [f"t{number}" for number in range(train)]
    logits = np.random.default_rng(1).normal(size=(_SHARD_ROWS, len(SPACE.labels))).astype(np.float32)
    for index, start, stop in shard_ranges(len(ids), _SHARD_ROWS):
        count, ones = stop - start, np.ones(stop - start, np.int32)
        part = SoftLabels(ids[start:stop], ["train"] * count, logits[:count], ones, ones, ["ok"] * count)
        write_shard(folder, index, part)
    return folder


def rows(prefix: str, tokens: int, count: int) -> list[dict[str, str]]:
    """Fields of `count` rows."""
    return [dict(row.fields) for row in islice(pairs(prefix, tokens), count)]
