"""The rows that were chosen, on disk: a Parquet file of ids for each source of the pool, and what was chosen by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from distill.core.predictions import read_table, write_table

SELECTION_FILE = "selection.json"
_COLUMNS = {"id": pa.types.is_string}


def write_selected(folder: Path, ids: Mapping[str, Sequence[str]]) -> None:
    """Write `<split>.parquet` with the column `id` for each source. Args: ids: `pool.<name>` to the ids taken of it."""
    for split, own in ids.items():
        write_table(folder / f"{split}.parquet", pa.table({"id": pa.array(own, pa.string())}))


def selected_ids(folder: Path) -> set[str]:
    """The ids of all sources; they are unique over a run. Raises: UserError when a file is damaged."""
    paths: Iterable[Path] = sorted(folder.glob("pool.*.parquet"))
    advice = "delete the folder and start again: only this step and those after it are redone"
    return {name for path in paths for name in read_table(path, _COLUMNS, advice)["id"].to_pylist()}
