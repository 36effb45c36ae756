"""Records on disk: one Parquet file per split, written and read in pieces, so that a large pool is never all in memory.

Columns: `id`, `field.<path>`, `target` (fixed_size_list<float32>[C] or null), `slice`, `key.<path>`.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from distill.core.errors import UserError, unknown_name
from distill.core.files import replacing
from distill.core.records import Record

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

FIELD, _KEY = "field.", "key."
_BATCH_ROWS, _BATCH_CHARS = 1000, 1 << 26


def write_records(path: Path, records: Iterable[Record]) -> int:
    """Write records to a Parquet file, atomically; returns how many. All have the same fields, keys and C.

    Raises: UserError when the file cannot be written.
    """
    import pyarrow.parquet as pq

    count, writer = 0, None
    with replacing(path) as partial:
        try:
            for batch in _batches(records):
                table = _table(batch)
                writer = writer or pq.ParquetWriter(partial, table.schema, compression="zstd")
                writer.write_table(table)
                count += len(batch)
        finally:
            if writer:
                writer.close()
        if writer is None:
            pq.write_table(_table([]), partial)
    return count


def read_records(folder: Path, split: str) -> list[Record]:
    """All records of a split, in the order they were written.

    Raises: UserError when there is no such split or its file is broken.
    """
    return list(iter_records(folder, split))


def iter_records(folder: Path, split: str, record_id: str | None = None) -> Iterator[Record]:
    """The records of a split, one at a time; only the one named `record_id` where given. Raises as `read_records`."""
    import pyarrow.compute as pc

    with _open(folder, split) as file:
        for batch in file.iter_batches(_BATCH_ROWS):
            if record_id is not None:
                batch = batch.filter(pc.equal(batch.column("id"), record_id))
            yield from _records(batch)


def record_batches(folder: Path, split: str) -> Iterator[pa.RecordBatch]:
    """The rows of a split as they are stored, a thousand at a time. Raises: as `read_records`."""
    with _open(folder, split) as file:
        yield from file.iter_batches(_BATCH_ROWS)


def sample_records(folder: Path, split: str, rows: int, seed: int) -> list[Record]:
    """A seeded sample of a split, in its order; all of it where it has no more rows. Reads only the pieces it is in.

    Raises: as `read_records`.
    """
    with _open(folder, split) as file:
        total = file.metadata.num_rows
        chosen = sorted(random.Random(seed).sample(range(total), min(rows, total)))
        return [record for piece in _pieces(file, chosen) for record in _records(piece)]


def records_between(folder: Path, split: str, start: int, stop: int) -> list[Record]:
    """Rows `start` to `stop` of a split, in its order. Reads only the pieces they are in. Raises: as `read_records`."""
    with _open(folder, split) as file:
        return [record for piece in _pieces(file, range(start, stop)) for record in _records(piece)]


def read_columns(folder: Path, split: str, names: Sequence[str]) -> pa.Table:
    """Columns of a split without its texts: `id`, `target`, `slice`, `key_column`. Raises: as `read_records`."""
    with _open(folder, split) as file:
        return file.read(columns=list(names))


def texts_of(folder: Path, split: str, ids: Sequence[str]) -> dict[str, dict[str, str]]:
    """By id, the fields of those of these records that the split has. Raises: as `read_records`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    paths = field_names(folder, split)
    found: dict[str, dict[str, str]] = {}
    with _open(folder, split) as file:
        for batch in file.iter_batches(columns=["id", *(f"{FIELD}{path}" for path in paths)]):
            for row in batch.filter(
                pc.is_in(batch.column("id"), value_set=pa.array(list(ids), pa.string()))
            ).to_pylist():
                found[row["id"]] = {path: row[f"{FIELD}{path}"] or "" for path in paths}
    return found


def field_names(folder: Path, split: str) -> list[str]:
    """The column paths of a split's texts; none of a split without rows. Raises: as `read_records`."""
    with _open(folder, split) as file:
        names = file.schema_arrow.names
    return [name.removeprefix(FIELD) for name in names if name.startswith(FIELD)]


def key_names(folder: Path, split: str) -> list[str]:
    """The column paths of a split's keys. Raises: as `read_records`."""
    with _open(folder, split) as file:
        names = file.schema_arrow.names
    return [name.removeprefix(_KEY) for name in names if name.startswith(_KEY)]


def key_column(path: str) -> str:
    """The column that holds a key."""
    return f"{_KEY}{path}"


def target_matrix(column: pa.ChunkedArray) -> NDArray[np.float32] | None:
    """The column `target` as float32 (N, C); None for rows without gold."""
    return None if not len(column) else _target_rows(column.combine_chunks())


@contextmanager
def _open(folder: Path, split: str) -> Iterator[pq.ParquetFile]:
    """The file of a split. Raises: as `read_records`."""
    with record_errors(_path(folder, split)), opened(folder, split) as file:
        yield file


def opened(folder: Path, split: str) -> pq.ParquetFile:
    """The file of a split, to be closed by the caller. Raises: as `read_records`."""
    import pyarrow.parquet as pq

    path = _path(folder, split)
    with record_errors(path):
        return pq.ParquetFile(path)


@contextmanager
def record_errors(path: Path) -> Iterator[None]:
    """What Arrow says of a broken record file as a UserError that names it."""
    import pyarrow as pa

    try:
        yield
    except MemoryError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise UserError("broken record file", where=str(path), found=error, do="redo the records step") from None


def _pieces(file: pq.ParquetFile, rows: Sequence[int]) -> Iterator[Any]:
    """The given rows of a file, in rising order, one row group at a time."""
    first = 0
    for group in range(file.num_row_groups):
        end = first + file.metadata.row_group(group).num_rows
        wanted = [row - first for row in rows[bisect_left(rows, first) : bisect_left(rows, end)]]
        if wanted:
            yield from file.read_row_group(group).take(wanted).to_batches()
        first = end


def count_records(folder: Path, split: str) -> int:
    """Rows of a split, from the file's footer."""
    import pyarrow.parquet as pq

    return int(pq.read_metadata(_path(folder, split)).num_rows)


def slice_counts(folder: Path, split: str) -> dict[str, int]:
    """Rows of each slice of a split."""
    import pyarrow.compute as pc

    counts = pc.value_counts(read_columns(folder, split, ["slice"])["slice"]).to_pylist()
    return {one["values"]: one["counts"] for one in counts if one["values"] is not None}


def class_shares(folder: Path, split: str = "train") -> NDArray[np.float64]:
    """The mean of a split's gold, (C,): the share of rows with each label, votes counted in part.

    Raises: UserError as `read_records`, and for a split without gold.
    """
    gold = target_matrix(read_columns(folder, split, ["target"])["target"])
    if gold is None:
        raise UserError("no row has gold labels", where=str(_path(folder, split)), do="redo the records step")
    shares: NDArray[np.float64] = gold.mean(axis=0, dtype=np.float64)
    return shares


def splits(folder: Path) -> list[str]:
    """The splits in a records folder: train, valid, the tests, the pools, what only some models learn."""
    return in_order(path.stem for path in folder.glob("*.parquet"))


def in_order(names: Iterable[str]) -> list[str]:
    """Names of splits: train, valid, the tests, the pools, the extra rows."""
    order = ("train", "valid", "test", "pool", "extra")
    return sorted(names, key=lambda name: (order.index(name.partition(".")[0]), name))


def _path(folder: Path, split: str) -> Path:
    path = folder / f"{split}.parquet"
    if not path.is_file():
        raise unknown_name("split", split, splits(folder), str(folder))
    return path


def _batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    batch: list[Record] = []
    chars = 0
    for record in records:
        batch.append(record)
        chars += sum(map(len, record.fields.values()))
        if len(batch) == _BATCH_ROWS or chars > _BATCH_CHARS:
            yield batch
            batch, chars = [], 0
    if batch:
        yield batch


def _table(records: list[Record]) -> pa.Table:
    import pyarrow as pa

    first = records[0] if records else Record("", {})
    text = pa.string()
    arrays = {"id": pa.array([record.id for record in records], text)}
    arrays |= {f"{FIELD}{path}": pa.array([record.fields[path] for record in records], text) for path in first.fields}
    arrays |= {"target": _targets(records), "slice": pa.array([record.slice for record in records], text)}
    arrays |= {f"{_KEY}{path}": pa.array([record.keys[path] for record in records], text) for path in first.keys}
    return pa.table(arrays)


def _targets(records: list[Record]) -> pa.Array:
    import pyarrow as pa

    if not records or records[0].target is None:
        return pa.nulls(len(records))
    targets = np.array([record.target for record in records], np.float32)
    return pa.FixedSizeListArray.from_arrays(targets.ravel(), targets.shape[1])


def _records(batch: Any) -> Iterator[Record]:
    """The records of an Arrow batch."""
    names = batch.schema.names
    texts = {name: batch.column(name).to_pylist() for name in names if name != "target"}
    targets = _target_rows(batch.column("target"))
    fields = [name for name in names if name.startswith(FIELD)]
    keys = [name for name in names if name.startswith(_KEY)]
    for index, record_id in enumerate(texts["id"]):
        yield Record(
            record_id,
            {name.removeprefix(FIELD): texts[name][index] for name in fields},
            None if targets is None else targets[index],
            texts["slice"][index],
            {name.removeprefix(_KEY): texts[name][index] for name in keys},
        )


def _target_rows(column: Any) -> Any:
    """Targets (N, C) float32, None for a pool."""
    import pyarrow as pa

    if pa.types.is_null(column.type):
        return None
    return column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), column.type.list_size)
