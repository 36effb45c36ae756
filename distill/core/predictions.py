"""Prediction files: one model's logits on one split. Every quality figure comes from these."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from distill.core.errors import UserError
from distill.core.files import replacing
from distill.core.records import Record

Columns = Mapping[str, Callable[[pa.DataType], bool]]
_COLUMNS: Columns = {
    "id": pa.types.is_string,
    "logits": pa.types.is_fixed_size_list,
    "label": pa.types.is_fixed_size_list,
    "slice": pa.types.is_string,
    "cluster": pa.types.is_string,
}
# Only where a second key is declared; files of older versions have the first alone.
_FURTHER: Columns = {"further_keys": pa.types.is_list}


@dataclass(frozen=True)
class Predictions:
    """Logits and gold of N rows, in the split's order.

    Attributes:
        ids: N record ids. logits: float32 (N, K), of K head outputs. target: float32 (N, C), gold one-hot or votes.
        slices: N reporting slices ('' where a row has none). clusters: N values of the first key, what the bootstrap
            draws; the record's id where it has none. further: N values of each further key, in the config's order.
    """

    ids: list[str]
    logits: NDArray[np.float32]
    target: NDArray[np.float32]
    slices: list[str]
    clusters: list[str]
    further: tuple[list[str], ...] = ()

    @classmethod
    def of(cls, records: Sequence[Record], logits: NDArray[np.float32]) -> Predictions:
        """The predictions for labelled records, in their order. Raises: ValueError for an unlabelled record."""
        targets = [record.target for record in records if record.target is not None]
        if len(targets) != len(records) or len(records) != len(logits):
            raise ValueError(f"{len(records)} records, {len(targets)} with gold, {len(logits)} rows of logits")
        return cls(
            ids=[record.id for record in records],
            logits=np.ascontiguousarray(logits, np.float32),
            target=np.stack(targets).astype(np.float32),
            slices=[record.slice or "" for record in records],
            clusters=[cluster_of(record) for record in records],
            further=_columns([clusters_of(record)[1:] for record in records]),
        )

    @classmethod
    def joined(cls, parts: Sequence[Predictions]) -> Predictions:
        """The rows of several parts, end to end.

        Of parts of which only some know further keys, as those of older versions do, the first key alone is known.
        """
        further = [part.further for part in parts]
        further = further if len({len(keys) for keys in further}) == 1 else []
        return cls(
            ids=[value for part in parts for value in part.ids],
            logits=np.concatenate([part.logits for part in parts]),
            target=np.concatenate([part.target for part in parts]),
            slices=[value for part in parts for value in part.slices],
            clusters=[value for part in parts for value in part.clusters],
            further=tuple([value for key in keys for value in key] for keys in zip(*further, strict=True)),
        )


def cluster_of(record: Record) -> str:
    """What the bootstrap draws as one: the record's first key, or itself where it has none."""
    return clusters_of(record)[0]


def clusters_of(record: Record) -> tuple[str, ...]:
    """The record's value of each key, at least one; itself in place of a missing one."""
    return tuple(value or record.id for value in record.keys.values()) or (record.id,)


def cluster_numbers(predictions: Predictions) -> NDArray[np.int64]:
    """The clusters as numbers from 0 on, int64 (N,); of K keys (N, K), where a value has one number in all keys."""
    columns = [predictions.clusters, *predictions.further]
    names = {name: number for number, name in enumerate(sorted(set().union(*columns)))}
    numbers = np.array([[names[name] for name in column] for column in columns], np.int64).T
    return numbers if predictions.further else numbers[:, 0]


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write a Parquet file with columns id, logits, label, slice, cluster; `label` is the gold vector.

    Where there are further keys, `further_keys` has each row's values of them.
    """
    further = {"further_keys": pa.array(list(map(list, zip(*predictions.further, strict=True))), pa.list_(pa.string()))}
    table = pa.table(
        {
            "id": pa.array(predictions.ids, pa.string()),
            "logits": fixed_lists(predictions.logits),
            "label": fixed_lists(predictions.target),
            "slice": pa.array(predictions.slices, pa.string()),
            "cluster": pa.array(predictions.clusters, pa.string()),
            **(further if predictions.further else {}),
        }
    )
    write_table(path, table)


def read_predictions(path: Path) -> Predictions:
    """Read a prediction file. Raises: UserError when it is missing or damaged."""
    table = read_table(path, _COLUMNS, "delete it and start again: its step will write it anew", _FURTHER)
    further = table["further_keys"].to_pylist() if "further_keys" in table.column_names else []
    return Predictions(
        ids=table["id"].to_pylist(),
        logits=matrix(table["logits"]),
        target=matrix(table["label"]),
        slices=table["slice"].to_pylist(),
        clusters=table["cluster"].to_pylist(),
        further=_columns(further),
    )


def write_table(path: Path, table: pa.Table) -> None:
    """Write a Parquet file atomically, with checksums: without them a flipped byte reads as another number."""
    with replacing(path) as partial:
        pq.write_table(table, partial, compression="zstd", write_page_checksum=True)


def read_table(path: Path, columns: Columns, advice: str, last: Columns | None = None) -> pa.Table:
    """A whole Parquet file that `write_table` wrote.

    Args: columns: name and type check of each column, in order. last: columns that may follow them.
    Raises: UserError with `advice` when the file is missing or damaged, or has other columns.
    """
    try:
        table = pq.read_table(path, page_checksum_verification=True)
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        raise UserError("cannot read a Parquet file", where=str(path), found=error, do=advice) from None
    known = {**columns, **(last or {})}
    whole = table.column_names in (list(columns), list(known))
    if not whole or not all(known[field.name](field.type) for field in table.schema):
        found = ", ".join(f"{field.name}: {field.type}" for field in table.schema)
        raise UserError("a Parquet file has other columns than expected", where=str(path), found=found, do=advice)
    return table


def fixed_lists(values: NDArray[np.floating[Any]]) -> pa.Array:
    """A (N, C) matrix as an Arrow column of fixed-size lists; keeps float16 and float32."""
    values = np.ascontiguousarray(values)
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])


def matrix(column: pa.ChunkedArray) -> NDArray[np.float32]:
    """An Arrow column of fixed-size lists as a float32 (N, C) matrix."""
    size = column.type.list_size
    flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return np.asarray(flat, np.float32).reshape(-1, size)


def _columns(rows: Sequence[Sequence[str]]) -> tuple[list[str], ...]:
    """Rows of values as one list for each place."""
    return tuple(map(list, zip(*rows, strict=True)))
