"""Which rows each shard of a label store holds: decided by the records and the config alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path

from distill.core.record_rows import Span
from distill.core.record_store import count_records
from distill.core.soft_labels import shard_ranges
from distill.training.learnt_rows import labelled_splits
from teachers.cross_fit import HELD_OUT, CrossFit, Fold


@dataclass(frozen=True)
class Shard:
    """A run of rows that one model labels; small enough to be sent to whoever labels it.

    Attributes: records: their folder. spans: (file, start, stop) of them in each. source: of all; None: the files.
    """

    index: int
    records: Path
    spans: Sequence[Span]
    source: str | None = None

    def __len__(self) -> int:
        """How many rows."""
        return sum(stop - start for _, start, stop in self.spans)

    @property
    def sources(self) -> list[str]:
        """The split that each row came from, as the store names it."""
        return [self.source or file for file, start, stop in self.spans for _ in range(start, stop)]


@dataclass(frozen=True)
class Part:
    """The shards that one model labels. Attributes: fold: of which their rows are held out."""

    model: Path
    shards: list[Shard]
    fold: Fold | None = None


def parts(teacher: Path, records: Path, shard_rows: int, cross: CrossFit | None = None) -> Iterator[Part]:
    """All rows to label, by the model that labels them. Args: cross: models that label the training rows."""
    first = 0
    for fold in cross.folds if cross else ():
        shards = list(_shards(fold.records, [HELD_OUT], shard_rows, first, "train"))
        yield Part(fold.model, shards, fold)
        first += len(shards)
    names = [name for name in labelled_splits(records) if not (cross and name == "train")]
    yield Part(teacher, list(_shards(records, names, shard_rows, first)))


def _shards(
    records: Path, files: Sequence[str], shard_rows: int, first: int, source: str | None = None
) -> Iterator[Shard]:
    """The rows of some files, cut into shards from number `first` on."""
    starts = [0, *accumulate(count_records(records, name) for name in files)]
    for index, start, stop in shard_ranges(starts[-1], shard_rows):
        spans = (
            (name, max(start, begin) - begin, min(stop, end) - begin)
            for name, (begin, end) in zip(files, pairwise(starts), strict=True)
        )
        yield Shard(first + index, records, [(name, low, high) for name, low, high in spans if low < high], source)
