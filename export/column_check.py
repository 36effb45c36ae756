"""Whether a file has the columns that are asked for: by its schema, its header or, of JSON lines, by all its rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

import pyarrow as pa
import pyarrow.parquet as pq

from distill.core.errors import UserError
from distill.core.files import Json
from distill.core.intake.record_reader import columns
from distill.core.intake.sources import read_rows
from distill.core.rendering import has_column
from export.batch.inputs import Input

_SHOWN = 20
_HEADERS = (".csv", ".tsv")


class NoColumn(UserError):
    """No row of a file has a column that was asked for."""


class ColumnCheck:
    """Looks for columns in the rows of a file while it is read.

    Args: asked: what is needed, in words, and the columns of which one is enough.
    Raises: NoColumn for a Parquet file whose schema lacks one.
    """

    def __init__(self, file: Input, asked: Iterable[tuple[str, Sequence[str]]]) -> None:
        self._file, self._missing, self._rows = file, list(asked), 0
        if file.path.suffix == ".parquet":
            self.see([_nested(pq.read_schema(file.path))])
            self.require()

    def see(self, rows: Sequence[Json]) -> None:
        """Look at some rows. Raises: NoColumn where a header says that no later one has more."""
        self._rows += len(rows)
        self._missing = [
            (what, paths)
            for what, paths in self._missing
            if not any(has_column(values, path) for values in rows for path in paths)
        ]
        if self._file.path.name.removesuffix(".gz").endswith(_HEADERS):
            self.require()

    def require(self) -> None:
        """Check that all is there, once the rows were seen. Raises: NoColumn naming the first rows' columns."""
        for what, paths in self._missing if self._rows else ():
            read = read_rows(self._file.path, self._file.reading)
            first = islice((row.values for row in read if row.values is not None), _SHOWN)
            known = list(dict.fromkeys(name for values in first for name in columns(values)))
            raise NoColumn(
                f"no row has {what}: {', '.join(paths)}",
                where=str(self._file.path),
                found=f"columns {', '.join(known[:_SHOWN])}",
                do="rename the columns; dotted names are columns of nested objects",
            )


def _nested(fields: Iterable[pa.Field]) -> Json:
    """A row of the fields' names, in which those of a struct are nested."""
    return {field.name: _nested(field.type) if pa.types.is_struct(field.type) else None for field in fields}
