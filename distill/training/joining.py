"""The rows that soft labels are made for, and several teachers' labels joined into one set of logits by record id.

Stores lie side by side, one for each teacher, and are joined when they are read: each row by its id.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.core.errors import UserError
from distill.core.label_space import LabelSpace
from distill.core.objectives.objective import Objective
from distill.core.progress import note
from distill.core.record_store import read_records, splits
from distill.core.records import Record
from distill.core.selection.store import selected_ids
from distill.core.soft_labels import OK, SoftLabels, read_soft_labels
from distill.evaluation.metrics import mixture

Logits = NDArray[np.float32]
Rows = Sequence[tuple[str, Record]]
_LISTED = 5


def labelled_rows(records: Path, names: Sequence[str] | None = None) -> list[tuple[str, Record]]:
    """(split, record) of every row that a teacher labels: training rows, then the pool's sources by name.

    Args: names: of the splits to read; None: all of these.
    """
    if names is None:
        names = ["train", *sorted(name for name in splits(records) if name.startswith("pool."))]
    return [(name, record) for name in names for record in read_records(records, name)]


def rows_to_learn(
    records: Path, soft: Collection[str], names: Sequence[str] | None = None, selection: Path | None = None
) -> list[tuple[str, Record]]:
    """(split, record) of rows with gold, and of those of the pool with a soft label, of these only the selected ones.

    Args: soft: ids with a soft label. names: of the splits to read, as `labelled_rows`. selection: the folder of a
        selection; None: the whole pool.
    """
    chosen = None if selection is None else selected_ids(selection)
    return [
        (split, row)
        for split, row in labelled_rows(records, names)
        if row.target is not None or (row.id in soft and (chosen is None or row.id in chosen))
    ]


@dataclass(frozen=True)
class Share:
    """A teacher's part of the labels.

    Attributes: temperature: that its logits are divided by, among several. by_class: its weight for each class, in
        place of `weight`; all teachers have such or none.
    """

    weight: float = 1.0
    temperature: float = 1.0
    by_class: tuple[float, ...] | None = None


def learnt_rows(
    records: Path,
    labels: Mapping[Path, Share],
    space: LabelSpace,
    *,
    names: Sequence[str] | None = None,
    selection: Path | None = None,
    allow_missing: bool = False,
) -> tuple[list[tuple[str, Record]], dict[str, Logits]]:
    """(split, record) of the rows that are learnt from, and the soft labels (K,) by record id.

    Args: labels: stores with their shares. names, selection: as `rows_to_learn`. allow_missing: learn from the rows
        that every store has, which are counted; rows with gold are learnt from without soft labels too.
    Raises: UserError for a store that misses rows or is of other classes, and where no row has a usable label.
    """
    rows = labelled_rows(records, names)
    stores = [(place, read_soft_labels(place), share) for place, share in labels.items()]
    for place, store, _ in stores:
        _require_classes(place, store, space)
        _require_ids(place, store, rows, allow_missing)
    soft = join([(store, share) for _, store, share in stores], space.objective)
    if not any(row.id in soft for _, row in rows):
        found = "every row is empty or not finite" if len(stores) == 1 else "no row that all of them labelled"
        where = ", ".join(str(place) for place in labels)
        raise UserError("no usable soft labels", where=where, found=found, do="label the pool again")
    if len(stores) > 1:
        note(f"labels of {len(stores)} teachers joined by id: {counted(rows, soft)}")
    return rows_to_learn(records, soft, names, selection), soft


def counted(rows: Rows, ids: Collection[str]) -> str:
    """How many rows of each split are among these ids: `train 87 of 90, pool.urls 40 of 40`."""
    found, all_rows = Counter(split for split, row in rows if row.id in ids), Counter(split for split, _ in rows)
    return ", ".join(f"{split} {found[split]} of {count}" for split, count in all_rows.items())


def missing_rows(rows: Rows, ids: Collection[str]) -> str | None:
    """What a message says of rows that have no label, by split and with the first ids; None where all have one."""
    missing = {row.id for _, row in rows if row.id not in ids}
    if not missing:
        return None
    first = ", ".join([row.id for _, row in rows if row.id in missing][:_LISTED])
    return f"{len(missing)} of {len(rows)} rows without logits ({counted(rows, missing)}), first: {first}"


def _require_ids(place: Path, store: SoftLabels, rows: Rows, allow_missing: bool) -> None:
    missing = missing_rows(rows, set(store.ids))
    if missing is None:
        return
    if not allow_missing:
        do = "label them too, or learn from those that there are: students.NAME.allow_missing: true"
        raise UserError("soft labels leave out rows", where=str(place), found=missing, do=do)
    note(f"{place.name}: {missing}")


def _require_classes(place: Path, store: SoftLabels, space: LabelSpace) -> None:
    found, expected = store.logits.shape[1], len(space.outputs)
    if found != expected:
        raise UserError(
            "soft labels are of other classes than the task's",
            where=str(place),
            found=f"{found} logits a row, {expected} expected",
            do="label with a teacher of this task, or leave that teacher out",
        )


def join(stores: Sequence[tuple[SoftLabels, Share]], objective: Objective) -> dict[str, Logits]:
    """Logits (K,) by record id, for rows that every teacher labelled with status `ok`.

    One teacher's logits are taken as they are, unless its classes have weights. Several are mixed as `metrics.mixture`
    does, each after its temperature.

    Args: stores: soft labels and share of each teacher. objective: of the task.
    """
    tables = [_usable(labels) for labels, _ in stores]
    weights = [share.weight if share.by_class is None else share.by_class for _, share in stores]
    if len(tables) == 1 and stores[0][1].by_class is None:
        return tables[0]
    names = [name for name in tables[0] if all(name in table for table in tables[1:])]
    if not names:
        return {}
    stacked = [np.stack([table[name] for name in names]) for table in tables]
    parts = [logits / share.temperature for logits, (_, share) in zip(stacked, stores, strict=True)]
    mean = mixture(parts, weights, objective).astype(np.float32)
    return dict(zip(names, mean, strict=True))


def _usable(labels: SoftLabels) -> dict[str, Logits]:
    rows = zip(labels.ids, labels.logits, labels.status, strict=True)
    return {name: logits for name, logits, status in rows if status == OK}
