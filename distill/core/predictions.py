"""Prediction files: one model's logits on one split. Every quality figure comes from these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from distill.core.errors import UserError
from distill.core.files import replacing
from distill.core.records import Record


@dataclass(frozen=True)
class Predictions:
    """Logits and gold of N rows, in the split's order.

    Attributes:
        ids: N record ids. logits: float32 (N, C). target: float32 (N, C), gold one-hot or votes.
        slices: N reporting slices ('' where a row has none). clusters: N values of the first key, the unit of the
            bootstrap; the record's id where no key is declared.
    """

    ids: list[str]
    logits: NDArray[np.float32]
    target: NDArray[np.float32]
    slices: list[str]
    clusters: list[str]

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
            clusters=[next(iter(record.keys.values()), "") or record.id for record in records],
        )


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write a Parquet file with columns id, logits, label, slice, cluster; `label` is the gold vector."""
    table = pa.table(
        {
            "id": predictions.ids,
            "logits": fixed_lists(predictions.logits),
            "label": fixed_lists(predictions.target),
            "slice": predictions.slices,
            "cluster": predictions.clusters,
        }
    )
    with replacing(path) as partial:
        pq.write_table(table, partial)


def read_predictions(path: Path) -> Predictions:
    """Read a prediction file. Raises: UserError when it is missing or damaged."""
    table = read_table(path, "delete it and start again: its step will write it anew")
    return Predictions(
        ids=table["id"].to_pylist(),
        logits=matrix(table["logits"]),
        target=matrix(table["label"]),
        slices=table["slice"].to_pylist(),
        clusters=table["cluster"].to_pylist(),
    )


def read_table(path: Path, advice: str) -> pa.Table:
    """A whole Parquet file. Raises: UserError with `advice` when it is missing or damaged."""
    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise UserError("cannot read a Parquet file", where=str(path), found=error, do=advice) from None


def fixed_lists(values: NDArray[np.float32]) -> pa.Array:
    """A (N, C) matrix as an Arrow column of fixed-size lists; keeps float16 and float32."""
    values = np.ascontiguousarray(values)
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])


def matrix(column: pa.ChunkedArray) -> NDArray[np.float32]:
    """An Arrow column of fixed-size lists as a float32 (N, C) matrix."""
    size = column.type.list_size
    flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return np.asarray(flat, np.float32).reshape(-1, size)
