"""Tables that outgrow memory: DuckDB over Parquet files, in at most 1 GB of memory and the rest in temporary files.

Temporary files are in the folder that `TMPDIR` names, by default `/tmp`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from distill.core.errors import UserError

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


@contextmanager
def room_on_disk(place: str | Path) -> Iterator[None]:
    """What fails where temporary files are written or grouped, as a UserError that names their folder."""
    import duckdb

    try:
        yield
    except (OSError, duckdb.Error) as error:
        found = (error.strerror if isinstance(error, OSError) else None) or error
        do = "free space there, or set TMPDIR to a folder on a larger disk"
        raise UserError("cannot keep rows in temporary files", where=str(place), found=found, do=do) from error


def read(files: Sequence[Path], *, numbered: bool = False) -> str:
    """Parquet files as a table in a query. Args: numbered: with the column `file_row_number`, from 0 on in each."""
    return f"read_parquet([{', '.join(quoted(str(path)) for path in files)}], file_row_number={numbered})"


def quoted(text: str) -> str:
    """A text in a query."""
    return "'" + text.replace("'", "''") + "'"
