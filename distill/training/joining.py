"""The rows that soft labels are made for, and several teachers' labels joined into one set of logits by record id."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.core.objectives.objective import Objective
from distill.core.record_store import read_records, splits
from distill.core.records import Record
from distill.core.selection.store import selected_ids
from distill.core.soft_labels import OK, SoftLabels
from distill.evaluation.metrics import mixture

Logits = NDArray[np.float32]


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
