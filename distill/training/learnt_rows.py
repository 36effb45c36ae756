"""Which rows a model learns from, and what of each, without their texts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from distill.core.errors import UserError, unknown_name
from distill.core.intake.hashing import unit
from distill.core.label_space import LabelSpace
from distill.core.progress import note
from distill.core.record_store import iter_records, read_columns, splits, target_matrix
from distill.core.records import Record
from distill.core.selection.store import selected_ids
from distill.core.soft_labels import UNLABELLED, LabelStore
from distill.training.joining import Joined, Share, join
from distill.training.split_rows import SplitRows

Floats = NDArray[np.float32]
_LISTED = 5


@dataclass(frozen=True)
class LearntRows:
    """N of the M rows of some splits, and what all M are labelled.

    Attributes:
        splits: the record files, laid end to end. starts: of each split, int64 (splits + 1,).
        rows: places of the N rows among the M, rising, int64 (N,); one that is read twice in an epoch is there twice.
        target: gold, float32 (M, C), 0 where there is none; has_gold: bool (M,).
        soft: teachers' logits of the M rows; None where none are learnt.
    """

    splits: Sequence[str]
    starts: NDArray[np.int64]
    rows: NDArray[np.int64]
    target: Floats
    has_gold: NDArray[np.bool_]
    soft: Joined | None = None

    def __len__(self) -> int:
        """N."""
        return len(self.rows)

    @property
    def source(self) -> NDArray[np.int16]:
        """The place of each row's split in `splits`, int16 (N,)."""
        return (np.searchsorted(self.starts, self.rows, side="right") - 1).astype(np.int16)

    def records(self, folder: Path) -> Iterator[Record]:
        """The rows with their texts, one at a time. Args: folder: the records artifact."""
        times = np.bincount(self.rows, minlength=int(self.starts[-1])).tolist()
        records = (record for split in self.splits for record in iter_records(folder, split))
        return (record for record, count in zip(records, times, strict=True) for _ in range(count))


def labelled_splits(records: Path) -> list[str]:
    """The splits that a teacher labels: training rows, then the pool's sources by name."""
    return ["train", *sorted(name for name in splits(records) if name.startswith("pool."))]


def labelled_rows(records: Path) -> Iterator[tuple[str, Record]]:
    """(split, record) of every row that a teacher labels, in their order."""
    return ((name, record) for name in labelled_splits(records) for record in iter_records(records, name))


def gold_rows(records: Path, split: str = "train", slices: Collection[str] | None = None) -> LearntRows:
    """The rows of a split, for their gold. Args: slices: rows of these only; None: all.

    Raises: UserError for a slice that no row has, with those there are; as `read_records`.
    """
    columns = read_columns(records, split, ["target", "slice"])
    rows = _of_slices(columns["slice"], slices)
    target, has_gold = _gold([columns["target"]])
    starts = np.array([0, len(columns)], np.int64)
    return LearntRows([split], starts, rows, target, has_gold)


def mixed_rows(
    records: Path, mixture: Mapping[str, float], seed: int, slices: Collection[str] | None = None
) -> LearntRows:
    """The rows of several splits for their gold, those of a split of weight w read w times in an epoch.

    Of w = 2.3 every row is read twice and a seeded 30% of them once more. So a weight means the same to every family
    and every loss, and an epoch is as long as what it reads: w copies of a row count as w times its loss would.

    Args: mixture: weight by split. seed: of the rows that a broken weight reads once more. slices: as `gold_rows`.
    Raises: UserError for a slice that no row has, and for a split of which no row is left.
    """
    columns = [read_columns(records, split, ["id", "target", "slice"]) for split in mixture]
    starts = np.array([0, *accumulate(len(one) for one in columns)], np.int64)
    every = _of_slices(
        pa.chunked_array([chunk for one in columns for chunk in one["slice"].chunks], pa.string()), slices
    )
    found = []
    for (split, weight), own, (start, stop) in zip(mixture.items(), columns, pairwise(starts.tolist()), strict=True):
        rows = every[(every >= start) & (every < stop)]
        once_more = round((weight % 1) * len(rows))
        order = np.argsort([unit(seed, "mixture", name) for name in own["id"].take(rows - start).to_pylist()])
        read = np.concatenate([*[rows] * int(weight), rows[np.sort(order[:once_more])]])
        if not len(read):
            do = "give it a larger weight or more rows, or take it out of the teacher's rows"
            raise UserError("no row is learnt", where=split, found=f"{len(rows)} rows with weight {weight:g}", do=do)
        found.append(read)
    target, has_gold = _gold([one["target"] for one in columns])
    return LearntRows([*mixture], starts, np.sort(np.concatenate(found)), target, has_gold)


@dataclass(frozen=True)
class Labels:
    """Which labels are learnt, and of which rows.

    Attributes:
        stores: with their shares. names: of the splits to read; None: all that teachers label. selection: the folder
        of a selection; None: the whole pool. allow_missing: learn from the rows that every store has, which are
        counted; rows with gold are learnt from without soft labels too.
    """

    stores: Mapping[Path, Share]
    names: Sequence[str] | None = None
    selection: Path | None = None
    allow_missing: bool = False


def soft_rows(records: Path, labels: Labels, space: LabelSpace, scratch: Path) -> LearntRows:
    """The rows with gold, and those of the pool that every teacher labelled, of these only the selected ones.

    Args: scratch: folder of a run, as `join` takes it.
    Raises: UserError for a store that misses rows, has rows that the records do not, is of other classes or damaged,
        and where no row has a usable label.
    """
    names = labelled_splits(records) if labels.names is None else labels.names
    columns = [read_columns(records, name, ["id", "target"]) for name in names]
    rows = SplitRows.of(names, columns)
    ids = rows.ids
    stores = {place: LabelStore(place) for place in labels.stores}
    for place, store in stores.items():
        _require_classes(place, store, space)
        if labels.names is None:
            _refuse_strangers(place, store, ids)
        _require_ids(place, pc.is_in(ids, value_set=store.known), rows, labels.allow_missing)
    joined = join([(stores[place], share) for place, share in labels.stores.items()], space.objective, ids, scratch)
    if not joined.labelled.any():
        raise _no_labels(stores)
    if len(stores) > 1:
        note(f"labels of {len(stores)} teachers joined by id: {rows.counted(joined.labelled)}")
    target, has_gold = _gold([one["target"] for one in columns])
    wanted = joined.labelled
    if labels.selection is not None:
        wanted = wanted & np.asarray(pc.is_in(ids, value_set=selected_ids(labels.selection)))
    return LearntRows(names, rows.starts, (wanted | has_gold).nonzero()[0], target, has_gold, joined)


def _no_labels(stores: Mapping[Path, LabelStore]) -> UserError:
    """The error of stores without a row to learn from, with what their rows are instead."""
    parts = [", ".join(f"{rows} {status}" for status, rows in one.statuses.most_common()) for one in stores.values()]
    found = f"rows: {'; '.join(parts)}"
    if len(stores) > 1:
        found = f"no row that all of them labelled; {found}"
    unsure = any(one.statuses[UNLABELLED] for one in stores.values())
    do = "let a cascade label more: a lower threshold or precision, more labelled rows, or rest: guess"
    where = ", ".join(map(str, stores))
    return UserError("no usable soft labels", where=where, found=found, do=do if unsure else "label the pool again")


def _require_ids(place: Path, known: pa.ChunkedArray, rows: SplitRows, allow_missing: bool) -> None:
    missing = ~np.asarray(known, bool)
    if not missing.any():
        return
    found = rows.without_logits(missing)
    if not allow_missing:
        do = "label them too, or learn from those that there are: students.NAME.allow_missing: true"
        raise UserError("soft labels leave out rows", where=str(place), found=found, do=do)
    note(f"{place.name}: {found}")


def _refuse_strangers(place: Path, store: LabelStore, ids: pa.ChunkedArray) -> None:
    """Refuse labels of rows that no record has: they were made of other records."""
    strange = ~np.asarray(pc.is_in(store.known, value_set=ids), bool)
    if strange.any():
        first = ", ".join(store.known.take(pa.array(strange.nonzero()[0][:_LISTED])).to_pylist())
        raise UserError(
            "soft labels are of rows that the records do not have",
            where=str(place),
            found=f"{strange.sum()} of {len(strange)} rows, first: {first}",
            do="label these records, or restore those that were labelled",
        )


def _require_classes(place: Path, store: LabelStore, space: LabelSpace) -> None:
    expected = len(space.outputs)
    if store.width != expected:
        raise UserError(
            "soft labels are of other classes than the task's",
            where=str(place),
            found=f"{store.width} logits a row, {expected} expected",
            do="label with a teacher of this task, or leave that teacher out",
        )


def _gold(columns: Sequence[pa.ChunkedArray]) -> tuple[Floats, NDArray[np.bool_]]:
    """Gold of several splits end to end, float32 (N, C), 0 where there is none; and where there is some, bool (N,)."""
    parts = [target_matrix(column) for column in columns]
    classes = next((part.shape[1] for part in parts if part is not None), 0)
    target = np.zeros((sum(map(len, columns)), classes), np.float32)
    has_gold, start = np.zeros(len(target), bool), 0
    for column, part in zip(columns, parts, strict=True):
        if part is not None:
            target[start : start + len(column)], has_gold[start : start + len(column)] = part, True
        start += len(column)
    return target, has_gold


def _of_slices(column: pa.ChunkedArray, slices: Collection[str] | None) -> NDArray[np.int64]:
    if slices is None:
        return np.arange(len(column))
    known = {name for name in column.unique().to_pylist() if name is not None}
    for name in slices:
        if name not in known:
            raise unknown_name("slice", name, known, "a teacher's slices")
    found = pc.is_in(column, value_set=pa.array(list(slices), pa.string()))
    return np.asarray(found).nonzero()[0]
