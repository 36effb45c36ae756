"""The soft-label store: a teacher's logits in Parquet shards that are finished one by one.

A shard holds a fixed run of rows. Which rows is decided by the input alone, so an interrupted, a resumed and a shared
run give equal shards; `manifest.json` of the step lists them with sha256 and rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from distill.core.errors import UserError
from distill.core.hashes import state_of
from distill.core.label_origin import (
    DELETE,
    Origin,
    origin_of_table,
    require_one_teacher,
    require_origin,
    stamped,
)
from distill.core.predictions import Columns, fixed_lists, matrix, read_table, write_table

OK, EMPTY, NONFINITE, FAILED, UNLABELLED = "ok", "empty", "nonfinite", "failed", "unlabelled"
_COLUMNS: Columns = {
    "id": pa.types.is_string,
    "source": pa.types.is_string,
    "logits": pa.types.is_fixed_size_list,
    "tokens": pa.types.is_int32,
    "cut_tokens": pa.types.is_int32,
    "status": pa.types.is_string,
}


@dataclass(frozen=True)
class SoftLabels:
    """A teacher's answers on N rows.

    Attributes:
        ids: N record ids. sources: the split that each row came from (`train`, `pool.<name>`).
        logits: float32 (N, K), of K head outputs. tokens: int32 (N,), tokens of the teacher's rendered text.
        cut_tokens: int32 (N,), tokens of it that no window read.
        status: `ok`, `empty` (no text in the teacher's view), `nonfinite`, `failed` (a server gave no answer) or
            `unlabelled` (no stage of a cascade was sure); only `ok` rows are for training.
    """

    ids: list[str]
    sources: list[str]
    logits: NDArray[np.float32]
    tokens: NDArray[np.int32]
    cut_tokens: NDArray[np.int32]
    status: list[str]

    def __len__(self) -> int:
        """N, the number of rows."""
        return len(self.ids)

    def take(self, rows: NDArray[np.int64]) -> SoftLabels:
        """The labels of these rows, in this order."""
        return SoftLabels(
            ids=[self.ids[row] for row in rows],
            sources=[self.sources[row] for row in rows],
            logits=self.logits[rows],
            tokens=self.tokens[rows],
            cut_tokens=self.cut_tokens[rows],
            status=[self.status[row] for row in rows],
        )

    @classmethod
    def concatenate(cls, parts: Sequence[SoftLabels]) -> SoftLabels:
        """The rows of several parts, in order."""
        return cls(
            ids=[value for part in parts for value in part.ids],
            sources=[value for part in parts for value in part.sources],
            logits=np.concatenate([part.logits for part in parts]),
            tokens=np.concatenate([part.tokens for part in parts]),
            cut_tokens=np.concatenate([part.cut_tokens for part in parts]),
            status=[value for part in parts for value in part.status],
        )


def statuses(
    logits: NDArray[np.float32],
    tokens: NDArray[np.int32],
    stages: Sequence[str] | None = None,
    bad: str = NONFINITE,
) -> list[str]:
    """The status of each row: `bad` for non-finite logits first, then rows without a token of text, then those without
    a label.

    Args: stages: of a cascade, the one that labelled each row; '' for none.
    """
    finite = np.atleast_1d(np.isfinite(logits).all(axis=1))
    found = [OK if good and n > 0 else EMPTY if good else bad for good, n in zip(finite, tokens, strict=True)]
    if stages is None:
        return found
    return [UNLABELLED if one == OK and not stage else one for one, stage in zip(found, stages, strict=True)]


def shard_path(folder: Path, index: int) -> Path:
    """The file of shard `index`."""
    return folder / f"shard-{index:05d}.parquet"


def shard_files(folder: Path) -> list[Path]:
    """The shards that are in a folder, by their numbers."""
    return sorted(folder.glob("shard-*.parquet"), key=lambda path: (len(path.name), path.name))


def shard_ranges(rows: int, shard_rows: int) -> Iterator[tuple[int, int, int]]:
    """(index, start, stop) of each shard over `rows` rows."""
    for index, start in enumerate(range(0, rows, shard_rows)):
        yield index, start, min(start + shard_rows, rows)


def write_shard(
    folder: Path, index: int, labels: SoftLabels, *, half: bool = False, origin: Origin | None = None
) -> None:
    """Write one shard atomically; `half` stores float16 logits, half the size at about 3 decimal digits.

    Args: origin: what made it, kept in the file.
    """
    logits = _stored(labels.logits, half)
    table = pa.table(
        {
            "id": labels.ids,
            "source": labels.sources,
            "logits": fixed_lists(logits),
            "tokens": labels.tokens,
            "cut_tokens": labels.cut_tokens,
            "status": storable(labels, half).status,
        }
    )
    write_table(shard_path(folder, index), stamped(table, origin) if origin else table)


def storable(labels: SoftLabels, half: bool) -> SoftLabels:
    """Labels as the store counts them: what float16 cannot hold is infinite there, so it is no label either."""
    held = np.isfinite(_stored(labels.logits, half)).all(axis=1)
    status = [one if good or one == FAILED else NONFINITE for one, good in zip(labels.status, held, strict=True)]
    return replace(labels, status=status)


def _stored(logits: NDArray[np.float32], half: bool) -> NDArray[np.floating[Any]]:
    with np.errstate(over="ignore"):
        return logits.astype(np.float16 if half else np.float32)


def read_shard(path: Path) -> SoftLabels:
    """One shard. Raises: UserError when the file is damaged."""
    return _labels(_read(path))


def _labels(table: pa.Table) -> SoftLabels:
    return SoftLabels(
        ids=table["id"].to_pylist(),
        sources=table["source"].to_pylist(),
        logits=matrix(table["logits"]),
        tokens=table["tokens"].to_numpy(),
        cut_tokens=table["cut_tokens"].to_numpy(),
        status=table["status"].to_pylist(),
    )


def finished_shard(folder: Path, index: int, ids: Sequence[str], origin: Origin | None = None) -> SoftLabels | None:
    """Shard `index`, once it is there; it holds exactly these rows.

    Args: origin: what it has to be made by; None: by anything.
    Raises: UserError when it is damaged, of another origin, or holds other rows (the input changed under an unfinished
        run).
    """
    path = shard_path(folder, index)
    if not path.exists():
        return None
    table = _read(path)
    if origin is not None:
        require_origin(path, origin_of_table(table), origin)
    found = _labels(table)
    if found.ids != list(ids):
        raise UserError("a shard holds other rows than the input", where=str(path), do=DELETE)
    return found


class LabelStore:
    """A finished store that is read as it is asked for: one shard is in memory, and no Python object for each row.

    Attributes: ids: of the M rows that are for training (status `ok`). sources: of these. known: ids of all rows.
        statuses: how many of them have each status. width: K.
    Raises: UserError when there is no store or a shard is damaged; later, when a shard is another file than it was:
        its rows would be joined to the ids of those that were there.
    """

    def __init__(self, folder: Path) -> None:
        self._paths = _shards(folder)
        self._states = [_state(path) for path in self._paths]
        tables = [_compact(_read(path)) for path in self._paths]
        usable = [np.asarray(pc.equal(table["status"], OK)).nonzero()[0] for table in tables]
        self.statuses = sum((_counted(table["status"]) for table in tables), Counter[str]())
        self._rows = np.concatenate(usable)
        self._starts = np.cumsum([0, *map(len, usable)])
        whole = pa.concat_tables(tables)
        parts = [table.take(pa.array(rows)) for table, rows in zip(tables, usable, strict=True)]
        self.ids: pa.ChunkedArray = pa.concat_tables(parts)["id"]
        self.sources: pa.ChunkedArray = pa.concat_tables(parts)["source"]
        self.known: pa.ChunkedArray = whole["id"]
        self.width = int(_read(self._paths[0])["logits"].type.list_size)
        self._held: tuple[int, NDArray[np.float32]] | None = None

    def logits(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits (N, K) of the rows at N ≥ 1 places of `ids`; quick where neighbours are of one shard."""
        shards = np.searchsorted(self._starts, places, side="right") - 1
        found = None
        for shard in np.unique(shards):
            here = shards == shard
            values = self._shard(int(shard))[self._rows[places[here]]]
            found = np.empty((len(places), values.shape[1]), np.float32) if found is None else found
            found[here] = values
        assert found is not None
        return found

    def _shard(self, index: int) -> NDArray[np.float32]:
        if self._held is None or self._held[0] != index:
            path = self._paths[index]
            values = matrix(_read(path)["logits"])
            if _state(path) != self._states[index]:
                do = "start again when no other run labels into this folder"
                raise UserError("soft labels were changed while they were read", where=str(path), do=do)
            self._held = (index, values)
        return self._held[1]


def _shards(folder: Path) -> list[Path]:
    """The shards of a store, in order. Raises: UserError when there is none, or they are not of one teacher."""
    paths = shard_files(folder)
    if not paths:
        raise UserError("no soft labels here", where=str(folder), do="run distill label first")
    require_one_teacher(paths)
    return paths


def _state(path: Path) -> list[int]:
    """What tells a shard from another under its name: inode, bytes, time of the last change; empty where it is gone."""
    return state_of(path.stat())[:3] if path.exists() else []


def _compact(table: pa.Table) -> pa.Table:
    """What is kept in memory of a shard's rows: ids, and codes of sources and statuses."""
    columns = [table["id"], *(table[name].dictionary_encode() for name in ("source", "status"))]
    return pa.table(columns, ["id", "source", "status"])


def _counted(column: pa.ChunkedArray) -> Counter[str]:
    """How many rows have each value."""
    return Counter({one["values"]: one["counts"] for one in pc.value_counts(column).to_pylist()})


def _read(path: Path) -> pa.Table:
    return read_table(path, _COLUMNS, DELETE)


def read_soft_labels(folder: Path) -> SoftLabels:
    """All shards of a finished store, in order. Raises: UserError when there is none or one is damaged."""
    return SoftLabels.concatenate([read_shard(path) for path in _shards(folder)])
