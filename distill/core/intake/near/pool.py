"""Pool rows that are near duplicates of an earlier one, within a source and between sources.

A row is one where an earlier row that is none itself is as alike as `data.near` says; so no two rows that stay are, and
each that goes has one that stays. Rows pass through a file on the way: in memory are 9 bytes a row, the keys that rows
share, and what DuckDB takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.core.files import Json
from distill.core.intake.compared_text import side_texts
from distill.core.intake.config import Near
from distill.core.intake.ledger import EXAMPLES, Account
from distill.core.intake.near.candidates import Kept, SharedKeys
from distill.core.intake.near.shingles import likeness
from distill.core.intake.near.sketches import Sketches
from distill.core.intake.one_order import in_one_order
from distill.core.progress import EVERY, progress
from distill.core.project import ViewConfig
from distill.core.record_store import iter_records, records_between, write_records
from distill.core.records import Record

REASON = "near_duplicate"
_NONE, _LARGEST = -1, 5


class NearPool:
    """Finds the near duplicates of the pool's sources, one after the other.

    Args: near: threshold, words of a shingle, and whether near duplicates go or are counted alone. document: the view
        whose sides are compared, whole.
    """

    def __init__(self, near: Near, document: ViewConfig) -> None:
        self._near, self._view = near, document
        self._sketches = Sketches(near.jaccard, near.words)
        self._starts: dict[str, int] = {}
        self._stays = bytearray()

    def apart(self, split: str, records: Iterable[Record], account: Account) -> Iterator[Record]:
        """The records of a source that stay, in their order; the others are entered as dropped.

        All of them are read before the first one is returned. `account.near` becomes what was found.
        """
        first = self._sketches.rows
        if write_records(self._file(split), self._sketched(records)):
            self._starts[split] = first
        self._sketches.close_file()
        like, cut = self._resolved(first, split)
        account.near = self._summary(like, cut)
        for record, other in zip(iter_records(self._sketches.folder, split), like.tolist(), strict=True):
            if other == _NONE or self._near.on_pool == "count":
                yield record
            else:
                account.drop(REASON, record.id)

    def _file(self, split: str) -> Path:
        return self._sketches.folder / f"{split}.parquet"

    def _sketched(self, records: Iterable[Record]) -> Iterator[Record]:
        for record in records:
            self._sketches.add(*side_texts(in_one_order(record, self._view.swap), self._view))
            self._stays.append(True)
            yield record

    def _resolved(self, first: int, split: str) -> tuple[NDArray[np.int64], int]:
        """For each row from `first` on the earlier row that it is like, or -1: int64 (N,).

        And how many rows had more candidates than are compared.
        """
        like = np.full(self._sketches.rows - first, _NONE, np.int64)
        if not self._sketches.key_files:
            return like, 0
        shared = SharedKeys.within(self._sketches.key_files, self._sketches.folder, first)
        kept, sets = Kept(shared), self._sketches.sets()
        with progress(f"near duplicates of {split}", self._sketches.rows) as advance:
            for member in shared.members():
                if member.row % EVERY == 0:
                    advance(member.row)
                if member.row >= first:
                    other = kept.first_like(member, sets.of(member.row), sets, self._near.jaccard)
                    if other is not None:
                        like[member.row - first] = other
                        self._stays[member.row] = False
                if self._stays[member.row]:
                    kept.add(member)
        shared.close()
        return like, kept.cut

    def _summary(self, like: NDArray[np.int64], cut: int) -> Json:
        """What `audit.json` says of a source: rows, clusters and the largest of them, examples of ids and likeness.

        A cluster is a row that stays and those that are like it, in this source.
        """
        found, first = np.flatnonzero(like != _NONE), self._sketches.rows - len(like)
        stays, rows = np.unique(like[found], return_counts=True)
        largest = np.lexsort((stays, -rows))[:_LARGEST]
        return {
            "rows": len(found),
            "share": len(found) / len(like) if len(like) else 0.0,
            "clusters": len(stays),
            "largest": [{"like": self._id(int(stays[at])), "rows": int(rows[at])} for at in largest],
            "examples": [self._example(first + row, int(like[row])) for row in found[:EXAMPLES].tolist()],
            **({"not_all_compared": cut} if cut else {}),
        }

    def _example(self, row: int, other: int) -> Json:
        sets = self._sketches.sets()
        found = round(likeness(sets.of(row), sets.of(other)), 3)
        return {"id": self._id(row), "like": self._id(other), "jaccard": found}

    def _id(self, row: int) -> str:
        """The id of a row of any source so far."""
        split = max((name for name, start in self._starts.items() if start <= row), key=lambda name: self._starts[name])
        place = row - self._starts[split]
        return records_between(self._sketches.folder, split, place, place + 1)[0].id
