"""The rows that soft labels are made for, and several teachers' labels joined into one set of logits by record id."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.core.metrics import probabilities
from distill.core.record_store import read_records, splits
from distill.core.records import Record
from distill.core.soft_labels import OK, SoftLabels

Logits = NDArray[np.float32]
_TINY = 1e-12


def labelled_rows(records: Path) -> list[tuple[str, Record]]:
    """(split, record) of every row that a teacher labels: training rows, then the pool's sources by name."""
    names = ["train", *sorted(name for name in splits(records) if name.startswith("pool."))]
    return [(name, record) for name in names for record in read_records(records, name)]


def join(stores: Sequence[tuple[SoftLabels, float]], kind: str) -> dict[str, Logits]:
    """Logits (C,) by record id, for rows that every teacher labelled with status `ok`.

    One teacher's logits are taken as they are. Several are averaged as probabilities p = Σ w·p_i / Σ w, and given back
    as log p (single) or log(p / (1 − p)) (multi), whose softmax or sigmoid at T = 1 is p.

    Args: stores: (soft labels, weight) of each teacher. kind: `single` or `multi`.
    """
    tables = [_usable(labels) for labels, _ in stores]
    if len(tables) == 1:
        return tables[0]
    weights = np.array([weight for _, weight in stores], np.float64)
    weights = weights / weights.sum()
    shared = [name for name in tables[0] if all(name in table for table in tables[1:])]
    if not shared:
        return {}
    stacked = np.stack([np.stack([table[name] for name in shared]) for table in tables])
    mean = np.einsum("t,tnc->nc", weights, np.stack([probabilities(part, kind) for part in stacked]))
    return dict(zip(shared, _logits(mean, kind), strict=True))


def _usable(labels: SoftLabels) -> dict[str, Logits]:
    rows = zip(labels.ids, labels.logits, labels.status, strict=True)
    return {name: logits for name, logits, status in rows if status == OK}


def _logits(probability: NDArray[np.float64], kind: str) -> Logits:
    clipped = np.clip(probability, _TINY, 1.0)
    if kind == "multi":
        return (np.log(clipped) - np.log(np.clip(1 - probability, _TINY, 1.0))).astype(np.float32)
    return np.log(clipped).astype(np.float32)
