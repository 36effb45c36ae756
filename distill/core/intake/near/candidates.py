"""Which rows share a band key with a row that was there before, grouped on disk where memory is short.

A key that many rows have, as rows of
one template do, keeps the first 100 of them that stay, and a row is compared with at most 100 others, those first that
share most keys. So a cluster of any size takes time linear in its rows.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from distill.core.intake.near.shingles import alike
from distill.core.intake.near.sketches import SetReader
from distill.core.tables import opened, read, room_on_disk

if TYPE_CHECKING:
    import pyarrow as pa

MOST = 100
_BATCH = 1 << 17


@dataclass(frozen=True)
class Member:
    """A row and the numbers of the shared keys that it has."""

    row: int
    keys: Sequence[int]


class SharedKeys:
    """The keys that two rows or more have, each with a number from 0 on; made by `within` or `between`."""

    def __init__(self, folder: Path, files: Sequence[Path], wanted: str) -> None:
        self._base, self._files, self._folder = opened(folder), files, folder
        grouped = f"select key, least(count(*), {MOST}) as room from {read(files)} {wanted}"
        numbered = f"select key, room, row_number() over () - 1 as n from ({grouped})"
        with room_on_disk(folder):
            self._base.execute(f"create temp table shared as {numbered}")

    @classmethod
    def within(cls, files: Sequence[Path], folder: Path, newest: int) -> SharedKeys:
        """The keys that two rows or more of files have, and one of them is the row `newest` or a later one.

        Args: files: of (key, row), as `Sketches` writes them. folder: for what does not fit into memory.
        """
        return cls(folder, files, f"group by key having count(*) > 1 and max(row) >= {newest}")

    @classmethod
    def between(cls, own: Sequence[Path], files: Sequence[Path], folder: Path) -> SharedKeys:
        """The keys of `files` that `own` ones have too; the rows of either are numbered for themselves."""
        return cls(folder, files, f"semi join (select distinct key from {read(own)}) using (key) group by key")

    def room(self) -> pa.RecordBatchReader:
        """How many rows of each key are kept, in the order of their numbers, as batches of one column."""
        return self._base.sql("select room::integer as room from shared order by n").to_arrow_reader(_BATCH)

    def members(self, files: Sequence[Path] | None = None) -> Iterator[Member]:
        """The rows that have such a key, in rising order. Args: files: others than those that the keys are of."""
        source = read(self._files if files is None else files)
        query = f"select row, n from {source} join shared using (key) order by row, n"
        pairs = (
            pair
            for batch in self._base.sql(query).to_arrow_reader(_BATCH)
            for pair in zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True)
        )
        with room_on_disk(self._folder):
            for row, own in groupby(pairs, key=lambda pair: pair[0]):
                yield Member(row, [number for _, number in own])

    def close(self) -> None:
        """Leave the memory to others."""
        self._base.close()


class Kept:
    """The rows that later ones are compared with, by shared key: the first 100 of each, 8 bytes an entry."""

    def __init__(self, shared: SharedKeys) -> None:
        rooms = [batch.column(0).to_numpy() for batch in shared.room()]
        room = np.concatenate([np.zeros(0, np.int32), *rooms])
        self._starts = array("q", np.concatenate([[0], np.cumsum(room)]).astype(np.int64).tobytes())
        self._filled = array("i", bytes(array("i").itemsize * len(room)))
        self._rows = array("q", bytes(8 * self._starts[-1]))
        self.cut = 0

    def add(self, member: Member) -> None:
        """Compare later rows with this one too, as far as its keys have room."""
        for number in member.keys:
            place = self._starts[number] + self._filled[number]
            if place < self._starts[number + 1]:
                self._rows[place] = member.row
                self._filled[number] += 1

    def candidates(self, member: Member) -> list[int]:
        """The rows that share a key with this one, at most 100, those that share most first, then the earliest.

        `cut` counts the rows that had more.
        """
        shares: Counter[int] = Counter()
        for number in member.keys:
            start = self._starts[number]
            shares.update(self._rows[start : start + self._filled[number]])
        found = sorted(shares, key=lambda row: (-shares[row], row))
        self.cut += len(found) > MOST
        return found[:MOST]

    def first_like(self, member: Member, own: AbstractSet[int], sets: SetReader, jaccard: float) -> int | None:
        """The first candidate that is like the row; None where none is.

        Args: own: the row's shingles. sets: of the rows that are kept.
        """
        return next((row for row in self.candidates(member) if alike(own, sets.of(row), jaccard)), None)
