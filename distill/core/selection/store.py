"""Rows of the pool on disk: those that were chosen, a file of ids for each source; and all of them in an order."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from distill.core.predictions import read_table, write_table

SELECTION_FILE = "selection.json"
ORDER_FILE = "order.parquet"
_COLUMNS = {"id": pa.types.is_string}
_ORDERED = {**_COLUMNS, "source": pa.types.is_string}
_ADVICE = "delete the folder and start again: only this step and those after it are redone"


def write_selected(folder: Path, ids: Mapping[str, pa.Array]) -> None:
    """Write `<split>.parquet` with the column `id` for each source. Args: ids: `pool.<name>` to the ids taken of it."""
    for split, own in ids.items():
        write_table(folder / f"{split}.parquet", pa.table({"id": own}))


def selected_ids(folder: Path) -> pa.ChunkedArray:
    """The ids of all sources; they are unique over a run. Raises: UserError when a file is damaged."""
    tables = [read_table(path, _COLUMNS, _ADVICE) for path in sorted(folder.glob("pool.*.parquet"))]
    return pa.chunked_array([chunk for table in tables for chunk in table["id"].chunks], pa.string())


def write_order(folder: Path, ids: pa.Array, sources: pa.Array) -> None:
    """Write `order.parquet`. Args: ids, sources: string (N,) of the rows in order."""
    write_table(folder / ORDER_FILE, pa.table({"id": ids, "source": sources}))


def read_order(folder: Path) -> pa.Table:
    """`id` and `source` of each row, in order. Raises: UserError when the file is damaged."""
    return read_table(folder / ORDER_FILE, _ORDERED, _ADVICE)
