"""Runs of rows of record files, read as columns: no Python object for a row until its texts are asked for."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from distill.core.record_store import FIELD, opened, record_errors

Span = tuple[str, int, int]
"""(file, start, stop): rows of a split."""


class RecordRows:
    """Rows of the record files in a folder, best in rising order.

    A file's footer, which is long for a large pool, is read once, and so is a row group that two runs of rows share.
    To be closed, or used in a `with`.

    Raises: UserError of all that reads, when there is no such split or its file is broken.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, _File] = {}

    def ids(self, spans: Sequence[Span]) -> pa.Array:
        """The ids of some rows."""
        return _column(self._table(spans, ["id"]), "id")

    def texts(self, spans: Sequence[Span]) -> tuple[pa.Array, list[dict[str, str]]]:
        """The ids of some rows, and their texts by column path."""
        tables = [self._table(own, None) for _, own in groupby(spans, key=lambda span: span[0])]
        ids = pa.chunked_array([chunk for one in tables for chunk in one["id"].chunks], pa.string())
        return _whole(ids), [row for one in tables for row in _rows(one)]

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()
        self._files = {}

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the files."""
        self.close()

    def _table(self, spans: Iterable[Span], columns: list[str] | None) -> pa.Table:
        return pa.concat_tables([self._file(name).read(start, stop, columns) for name, start, stop in spans])

    def _file(self, split: str) -> _File:
        if split not in self._files:
            self._files[split] = _File(opened(self._folder, split), self._folder / f"{split}.parquet")
        return self._files[split]


class _File:
    """An open record file. Attributes: held: the columns and number of the row group that was read last, and it."""

    def __init__(self, file: pq.ParquetFile, path: Path) -> None:
        self._file, self._path = file, path
        self._texts = ["id", *(name for name in file.schema_arrow.names if name.startswith(FIELD))]
        self._starts = [0]
        for group in range(file.metadata.num_row_groups):
            self._starts.append(self._starts[-1] + file.metadata.row_group(group).num_rows)
        self._held: tuple[list[str], int, pa.Table] | None = None

    def read(self, start: int, stop: int, columns: list[str] | None) -> pa.Table:
        """Rows `start` to `stop`. Args: columns: None: the id and all texts."""
        names, parts = columns or self._texts, []
        with record_errors(self._path):
            for group in range(bisect_right(self._starts, start) - 1, bisect_left(self._starts, stop)):
                first, end = self._starts[group], self._starts[group + 1]
                whole = self._group(group, names)
                parts.append(whole.slice(max(start, first) - first, min(stop, end) - max(start, first)))
        return pa.concat_tables(parts) if parts else self._file.schema_arrow.empty_table().select(names)

    def close(self) -> None:
        self._file.close()

    def _group(self, group: int, names: list[str]) -> pa.Table:
        if self._held is None or self._held[:2] != (names, group):
            self._held = (names, group, self._file.read_row_group(group, columns=names))
        return self._held[2]


def _rows(table: pa.Table) -> list[dict[str, str]]:
    """The texts of each row by column path."""
    names = [name for name in table.column_names if name.startswith(FIELD)]
    paths = [name.removeprefix(FIELD) for name in names]
    values = [table[name].to_pylist() for name in names]
    if not values:
        return [{} for _ in range(len(table))]
    return [dict(zip(paths, row, strict=True)) for row in zip(*values, strict=True)]


def _column(table: pa.Table, name: str) -> pa.Array:
    return _whole(table[name])


def _whole(column: pa.ChunkedArray) -> pa.Array:
    found = column.combine_chunks()
    return pa.concat_arrays(found.chunks) if isinstance(found, pa.ChunkedArray) else found
