"""Rows of the pool on disk: those that were chosen, a file of ids for each source; and all of them in an order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from distill.core.predictions import read_table, write_table

SELECTION_FILE = "selection.json"
ORDER_FILE = "order.parquet"
_COLUMNS = {"id": pa.types.is_string}
_ORDERED = {**_COLUMNS, "source": pa.types.is_string}
_ADVICE = "delete the folder and start again: only this step and those after it are redone"


def write_selected(folder: Path, ids: Mapping[str, Sequence[str]]) -> None:
    """Write `<split>.parquet` with the column `id` for each source. Args: ids: `pool.<name>` to the ids taken of it."""
    for split, own in ids.items():
        write_table(folder / f"{split}.parquet", pa.table({"id": pa.array(own, pa.string())}))


def selected_ids(folder: Path) -> set[str]:
    """The ids of all sources; they are unique over a run. Raises: UserError when a file is damaged."""
    paths: Iterable[Path] = sorted(folder.glob("pool.*.parquet"))
    return {name for path in paths for name in read_table(path, _COLUMNS, _ADVICE)["id"].to_pylist()}


def write_order(folder: Path, rows: Sequence[tuple[str, str]]) -> None:
    """Write `order.parquet`. Args: rows: id and source of each."""
    columns = {"id": [name for name, _ in rows], "source": [source for _, source in rows]}
    write_table(folder / ORDER_FILE, pa.table({name: pa.array(own, pa.string()) for name, own in columns.items()}))


def read_order(folder: Path) -> list[tuple[str, str]]:
    """Id and source of each row, in order. Raises: UserError when the file is damaged."""
    table = read_table(folder / ORDER_FILE, _ORDERED, _ADVICE)
    return list(zip(table["id"].to_pylist(), table["source"].to_pylist(), strict=True))
