"""Answers out of fold: of each training row the logits of a model that was fitted without it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from distill.core.predictions import Columns, Predictions, fixed_lists, matrix, read_table, write_table

OUT_OF_FOLD_FILE = "out_of_fold.parquet"
_COLUMNS: Columns = {
    "id": pa.types.is_string,
    "fold": pa.types.is_int32,
    "logits": pa.types.is_fixed_size_list,
    "temperature": pa.types.is_float32,
    "label": pa.types.is_fixed_size_list,
    "slice": pa.types.is_string,
    "keys": pa.types.is_list,
}


@dataclass(frozen=True)
class OutOfFold:
    """N training rows, fold by fold.

    Attributes: predictions: logits and gold. folds: of each row, from 1 on, int32 (N,). temperatures: that validation
        gives to the model of each row's fold, float32 (N,).
    """

    predictions: Predictions
    folds: NDArray[np.int32]
    temperatures: NDArray[np.float32]


def write_out_of_fold(folder: Path, found: OutOfFold) -> None:
    """Write `out_of_fold.parquet`: id, fold, logits, temperature, label (the gold vector), slice, keys of each row."""
    own = found.predictions
    keys = list(map(list, zip(own.clusters, *own.further, strict=True)))
    table = pa.table(
        {
            "id": pa.array(own.ids, pa.string()),
            "fold": pa.array(found.folds, pa.int32()),
            "logits": fixed_lists(own.logits),
            "temperature": pa.array(found.temperatures, pa.float32()),
            "label": fixed_lists(own.target),
            "slice": pa.array(own.slices, pa.string()),
            "keys": pa.array(keys, pa.list_(pa.string())),
        }
    )
    write_table(folder / OUT_OF_FOLD_FILE, table)


def read_out_of_fold(folder: Path) -> OutOfFold:
    """What `write_out_of_fold` wrote. Raises: UserError when it is missing or damaged."""
    table = read_table(folder / OUT_OF_FOLD_FILE, _COLUMNS, "delete it and start again: its step will write it anew")
    first, *further = zip(*table["keys"].to_pylist(), strict=True)
    own = Predictions(
        ids=table["id"].to_pylist(),
        logits=matrix(table["logits"]),
        target=matrix(table["label"]),
        slices=table["slice"].to_pylist(),
        clusters=list(first),
        further=tuple(map(list, further)),
    )
    return OutOfFold(own, table["fold"].to_numpy(), table["temperature"].to_numpy())
