"""The step that chooses which labelled rows of the pool students learn from, by what the labels say of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from distill.core.errors import UserError
from distill.core.files import Json, write_json
from distill.core.label_space import LabelSpace
from distill.core.objectives.objective import BoolArray, FloatArray
from distill.core.progress import note
from distill.core.record_store import key_column, key_names, read_columns, splits
from distill.core.selection.candidates import Candidates, Named
from distill.core.selection.choose import choose, distributions, entropy_shares
from distill.core.selection.config import Select
from distill.core.selection.store import SELECTION_FILE, write_selected
from distill.core.soft_labels import LabelStore
from distill.training.joining import Joined, Share, join

_BLOCK_ROWS = 65_536


def select(
    config: Select, space: LabelSpace, records: Path, labels: Mapping[Path, Share], seed: int, folder: Path
) -> None:
    """Step body: write the ids taken of each source, and `selection.json`: rows and distributions before and after.

    Args: labels: the stores that students learn from, with their shares; logits are divided by the temperatures first,
        those of a single teacher too.
    Raises: UserError where it balances by slices or caps keys that no pool row has, and where it leaves no row.
    """
    pools = [split for split in splits(records) if split.startswith("pool.")]
    rows = _Pool.read(records, pools)
    joined = join([(LabelStore(store), share) for store, share in labels.items()], space.objective, rows.ids, folder)
    single = next(iter(labels.values())).temperature if len(labels) == 1 else 1.0
    found = candidates(rows, joined, space, single)
    _require_columns(config, found)
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
    write_json(folder / SELECTION_FILE, _figures(config, len(rows.ids), found, taken, left_out))


@dataclass(frozen=True)
class _Pool:
    """M rows of the pool without their texts. Attributes: as of Candidates."""

    ids: pa.ChunkedArray
    sources: Named
    slices: Named
    keys: Mapping[str, Named]

    @classmethod
    def read(cls, records: Path, pools: Sequence[str]) -> _Pool:
        """All rows of some splits, end to end."""
        keys = list(dict.fromkeys(name for split in pools for name in key_names(records, split)))
        parts = [cls._split(records, split, keys) for split in pools]
        return cls(
            pa.chunked_array([chunk for part in parts for chunk in part.ids.chunks], pa.string()),
            Named.joined([part.sources for part in parts]),
            Named.joined([part.slices for part in parts]),
            {name: Named.joined([part.keys[name] for part in parts]) for name in keys},
        )

    @classmethod
    def _split(cls, records: Path, split: str, keys: Sequence[str]) -> _Pool:
        own = {name: key_column(name) for name in key_names(records, split)}
        table = read_columns(records, split, ["id", "slice", *own.values()])
        coded = {name: Named.of(table[own[name]]) if name in own else Named.same("", len(table)) for name in keys}
        return cls(table["id"], Named.same(split, len(table)), Named.of(table["slice"]), coded)


def candidates(rows: _Pool, soft: Joined, space: LabelSpace, temperature: float = 1.0) -> Candidates:
    """The rows of the pool that have a label. Args: soft: of all rows. temperature: that the logits are over."""
    objective, places = space.objective, np.flatnonzero(soft.labelled)
    entropy, classes = np.zeros(len(places), np.float64), []
    for start in range(0, len(places), _BLOCK_ROWS):
        block = places[start : start + _BLOCK_ROWS]
        logits = soft.logits[block].astype(np.float64) / temperature
        entropy[start : start + len(block)] = entropy_shares(logits, objective)
        classes.append(_classes(logits, space))
    return Candidates(
        ids=rows.ids.take(pa.array(places)).combine_chunks(),
        sources=rows.sources.rows(places),
        classes=Named.joined(classes),
        slices=rows.slices.rows(places),
        keys={name: one.rows(places) for name, one in rows.keys.items()},
        entropy=entropy,
    )


def _classes(logits: FloatArray, space: LabelSpace) -> Named:
    """The label of each row; of several labels all, of none '–'."""
    decided, codes = np.unique(space.objective.decisions(logits), axis=0, return_inverse=True)
    names = [" + ".join(np.array(space.labels, object)[row].tolist()) or "–" for row in decided]
    return Named(names, codes.reshape(-1).astype(np.int32))


def _taken_of(split: str, rows: Candidates, taken: BoolArray) -> pa.Array:
    own = np.array([name == split for name in rows.sources.names], np.bool_)
    return rows.ids.filter(pa.array(taken & own[rows.sources.codes]))


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


def _require_columns(config: Select, rows: Candidates) -> None:
    """Check that pool rows have what they are chosen by."""
    if len(rows) and "slice" in config.balance and not rows.slices.given.any():
        raise UserError(
            "no pool row has a slice to balance by",
            where="select.balance",
            found=f"{len(rows)} rows without a value in data.slice",
            do="add the column to the pool's files, or take slice out",
        )
    if config.per_key is not None and len(rows) and rows.keys and not any(k.given.any() for k in rows.keys.values()):
        raise UserError(
            "no pool row has a key to cap",
            where="select.per_key",
            found=f"{len(rows)} rows without a value in data.keys",
            do="add the columns to the pool's files, or take per_key out",
        )
