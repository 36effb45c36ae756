"""The step that chooses which labelled rows of the pool students learn from, by what the labels say of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from distill.core.errors import UserError
from distill.core.files import Json, write_json
from distill.core.label_space import LabelSpace
from distill.core.objectives.objective import BoolArray, FloatArray
from distill.core.progress import note
from distill.core.record_store import iter_records, splits
from distill.core.records import Record
from distill.core.selection.choose import Candidates, choose, distributions, entropy_shares
from distill.core.selection.config import Select
from distill.core.selection.store import SELECTION_FILE, write_selected
from distill.training.joining import Logits, Share, join_by_id


def select(
    config: Select, space: LabelSpace, records: Path, labels: Mapping[Path, Share], seed: int, folder: Path
) -> None:
    """Step body: write the ids taken of each source, and `selection.json`: rows and distributions before and after.

    Args: labels: the stores that students learn from, with their shares; logits are divided by the temperatures first,
        those of a single teacher too.
    Raises: UserError where it balances by slices or caps keys that no pool row has, and where it leaves no row.
    """
    soft = join_by_id(labels, space.objective, folder)
    single = next(iter(labels.values())).temperature if len(labels) == 1 else 1.0
    pools = [split for split in splits(records) if split.startswith("pool.")]
    rows = [(split, replace(record, fields={})) for split in pools for record in iter_records(records, split)]
    usable = [(split, record) for split, record in rows if record.id in soft]
    _require_columns(config, [record for _, record in usable])
    found = candidates(usable, soft, space, single)
    taken, left_out = choose(config, found, seed)
    if config.rows is not None and taken.sum() < config.rows:
        note(f"{config.rows} rows are to be selected, {taken.sum()} are there to be")
    if not taken.any():
        raise UserError(
            "the selection leaves no row of the pool",
            where="select",
            found=", ".join(f"{reason} {count}" for reason, count in left_out.items()) or "no row has a usable label",
            do="widen select.entropy; distill select shows where the labels' entropies are, with [[0, 1]]",
        )
    write_selected(folder, {split: _taken_of(split, found, taken) for split in pools})
    write_json(folder / SELECTION_FILE, _figures(config, len(rows), found, taken, left_out))


def candidates(
    rows: Sequence[tuple[str, Record]], soft: Mapping[str, Logits], space: LabelSpace, temperature: float = 1.0
) -> Candidates:
    """What rows of the pool are chosen by. Args: soft: logits (K,) by record id. temperature: that they are over."""
    objective = space.objective
    size = objective.head_size(len(space.labels))
    logits = np.array([soft[record.id] for _, record in rows], np.float64).reshape(len(rows), size) / temperature
    return Candidates(
        ids=[record.id for _, record in rows],
        sources=[split for split, _ in rows],
        classes=_classes(logits, space),
        slices=[record.slice or "" for _, record in rows],
        keys=[record.keys for _, record in rows],
        entropy=entropy_shares(logits, objective),
    )


def _classes(logits: FloatArray, space: LabelSpace) -> list[str]:
    """The label of each row; of several labels all, of none '–'."""
    decided = space.objective.decisions(logits)
    return [" + ".join(np.array(space.labels, object)[row].tolist()) or "–" for row in decided]


def _taken_of(split: str, rows: Candidates, taken: BoolArray) -> list[str]:
    return [rows.ids[index] for index in np.flatnonzero(taken).tolist() if rows.sources[index] == split]


def _figures(config: Select, pool: int, rows: Candidates, taken: BoolArray, left_out: Mapping[str, int]) -> Json:
    everything = np.ones(len(rows), np.bool_)
    return {
        "pool": pool,
        "without_label": pool - len(rows),
        "rows": int(taken.sum()),
        "asked": config.rows,
        "left_out": dict(left_out),
        "before": distributions(rows, everything, config.entropy),
        "after": distributions(rows, taken, config.entropy),
    }


def _require_columns(config: Select, rows: Sequence[Record]) -> None:
    """Check that pool rows have what they are chosen by."""
    if rows and "slice" in config.balance and not any(record.slice for record in rows):
        raise UserError(
            "no pool row has a slice to balance by",
            where="select.balance",
            found=f"{len(rows)} rows without a value in data.slice",
            do="add the column to the pool's files, or take slice out",
        )
    keyed = [record for record in rows if record.keys]
    if config.per_key is not None and keyed and not any(any(record.keys.values()) for record in keyed):
        raise UserError(
            "no pool row has a key to cap",
            where="select.per_key",
            found=f"{len(keyed)} rows without a value in data.keys",
            do="add the columns to the pool's files, or take per_key out",
        )
