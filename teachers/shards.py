"""Which rows each shard of a label store holds: decided by the records and the config alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.core.equal_texts import repeats
from distill.core.record_rows import Span
from distill.core.record_store import count_records
from distill.core.soft_labels import shard_ranges
from distill.families.family import views_read
from distill.training.learnt_rows import labelled_splits
from teachers.cross_fit import HELD_OUT, CrossFit, Fold

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Shard:
    """Some rows that one model labels; small enough to be sent to whoever labels it.

    Attributes: records: their folder. spans: (file, start, stop) of each run of them, in rising order. source: of all;
        None: the files.
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

    @property
    def extent(self) -> dict[str, list[int]]:
        """By file, its first row of these and the one after the last."""
        found: dict[str, list[int]] = {}
        for file, start, stop in self.spans:
            found[file] = [found.get(file, [start])[0], stop]
        return found


@dataclass(frozen=True)
class Copies:
    """A shard of rows that read like rows of shards before it, and are not scored.

    Attributes: numbers, places: of each row's like, (N,): the number of its shard, and its row there.
    """

    shard: Shard
    numbers: Numbers
    places: Numbers


@dataclass(frozen=True)
class Part:
    """The shards that one model labels.

    Attributes: copies: shards of rows that it need not read. fold: of which all their rows are held out.
    """

    model: Path
    shards: list[Shard]
    copies: list[Copies]
    fold: Fold | None = None

    @property
    def planned(self) -> list[Shard]:
        """All shards, copies last."""
        return [*self.shards, *(one.shard for one in self.copies)]


def parts(teacher: Path, records: Path, shard_rows: int, cross: CrossFit | None = None) -> Iterator[Part]:
    """All rows to label, by the model that labels them. Args: cross: models that label the training rows.

    Raises: UserError where the texts of the records cannot be compared.
    """
    first = 0
    for fold in cross.folds if cross else ():
        rows = _Rows(fold.records, [HELD_OUT], "train")
        part = Part(fold.model, *_planned(fold.model, rows, shard_rows, first), fold)
        yield part
        first += len(part.planned)
    names = [name for name in labelled_splits(records) if not (cross and name == "train")]
    yield Part(teacher, *_planned(teacher, _Rows(records, names), shard_rows, first))


class _Rows:
    """The rows of some record files, numbered through."""

    def __init__(self, folder: Path, files: Sequence[str], source: str | None = None) -> None:
        self.folder, self.files, self._source = folder, files, source
        self._starts = [0, *accumulate(count_records(folder, name) for name in files)]

    def __len__(self) -> int:
        return self._starts[-1]

    def shard(self, index: int, rows: Numbers) -> Shard:
        """A shard of these rows, in rising order."""
        ends = np.flatnonzero(np.diff(rows) != 1) + 1
        runs = pairwise([0, *ends.tolist(), len(rows)])
        spans = [span for low, high in runs for span in self._spans(int(rows[low]), int(rows[high - 1]) + 1)]
        return Shard(index, self.folder, spans, self._source)

    def _spans(self, start: int, stop: int) -> Iterator[Span]:
        for name, (begin, end) in zip(self.files, pairwise(self._starts), strict=True):
            low, high = max(start, begin), min(stop, end)
            if low < high:
                yield name, low - begin, high - begin


def _planned(model: Path, rows: _Rows, shard_rows: int, first: int) -> tuple[list[Shard], list[Copies]]:
    """The shards of some rows, from number `first` on, and those of copies after them.

    A row that reads like one of an earlier shard is left out of its own, which so depends on no other shard; it is in
    one of the copies. Rows of one shard that read alike stay together.
    """
    views = views_read(model)
    alike = repeats(rows.folder, rows.files, views) if views else np.empty((0, 2), np.int64)
    copied, likes = alike[alike[:, 1] // shard_rows < alike[:, 0] // shard_rows].T
    shards: list[Shard] = []
    numbers = np.full(len(rows) // shard_rows + 1, -1, np.int64)  # of the shard that is left of each run of rows
    for run, start, stop in shard_ranges(len(rows), shard_rows):
        kept = np.setdiff1d(np.arange(start, stop), copied[slice(*np.searchsorted(copied, [start, stop]))])
        if len(kept):
            numbers[run] = first + len(shards)
            shards.append(rows.shard(int(numbers[run]), kept))
    runs = likes // shard_rows
    left_out = np.searchsorted(copied, likes) - np.searchsorted(copied, runs * shard_rows)  # before each, in its run
    homes = np.column_stack([numbers[runs], likes % shard_rows - left_out])
    copies = [
        Copies(rows.shard(first + len(shards) + index, copied[start:stop]), *homes[start:stop].T)
        for index, start, stop in shard_ranges(len(copied), shard_rows)
    ]
    return shards, copies
