"""The untouched encoder that a teacher starts from, or a student with a start of its own, kept in the run."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Protocol

from distill.core.progress import note
from distill.core.record_store import iter_records, splits
from distill.models import pretrained
from distill.models.config import FreshEncoder
from distill.models.encoder_config import settle_padding
from distill.models.fresh import Shape, make_encoder
from teachers.embedded import local_folder

_VOCABULARY_TEXTS = 50_000


class Starting(Protocol):
    """What an entry of the project says of its encoder."""

    @property
    def checkpoint(self) -> str | None:
        """An embedded encoder, a folder or a hub id; None: random weights."""

    @property
    def architecture(self) -> FreshEncoder:
        """Of random weights."""


def prepare_checkpoint(config: Starting, records: Path, seed: int, folder: Path) -> None:
    """Step body: `folder` becomes a Hugging Face folder with safetensors weights and a `tokenizer.json`.

    Raises: UserError for a missing folder, an unreachable hub id, pickled weights or remote code.
    """
    if config.checkpoint is None:
        note("no checkpoint: random weights are the start (--checkpoint takes a name, a folder or a hub id)")
        make_fresh(config.architecture, _texts(records), seed, folder)
    else:
        adopt_checkpoint(config.checkpoint, folder)


def adopt_checkpoint(checkpoint: str, folder: Path) -> None:
    """Copy an encoder, embedded, in a folder or on the hub, into `folder`. Raises: as `prepare_checkpoint`."""
    source = local_folder(checkpoint) or pretrained.resolve(checkpoint)
    pretrained.require_safe(source)
    for path in sorted([*source.glob("*.safetensors"), *source.glob("*.json")]):
        shutil.copyfile(path, folder / path.name)
    pretrained.save_tokenizer(source, folder)
    settle_padding(folder)


def make_fresh(fresh: FreshEncoder, texts: Iterable[str], seed: int, folder: Path) -> None:
    """Make `folder` an encoder of random weights with a vocabulary learnt from `texts`."""
    make_encoder(texts, folder, Shape(**fresh.model_dump()), seed)


def _texts(records: Path) -> Iterable[str]:
    """Texts of the training rows, then of the pool, up to a bound."""
    names = [name for name in splits(records) if name == "train" or name.startswith("pool.")]
    texts = (
        text for name in sorted(names, reverse=True) for r in iter_records(records, name) for text in r.fields.values()
    )
    return islice((text for text in texts if text), _VOCABULARY_TEXTS)
