"""Tables that outgrow memory: DuckDB over Parquet files, in at most 1 GB of memory and the rest in temporary files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

_MEMORY = "1GB"


def opened(folder: Path) -> duckdb.DuckDBPyConnection:
    """A database in memory that spills into a folder; it fetches and loads nothing."""
    import duckdb

    return duckdb.connect(
        ":memory:",
        config={
            "memory_limit": _MEMORY,
            "temp_directory": str(folder / "spill"),
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )


def read(files: Sequence[Path]) -> str:
    """Parquet files as a table in a query."""
    listed = ", ".join("'" + str(path).replace("'", "''") + "'" for path in files)
    return f"read_parquet([{listed}])"
