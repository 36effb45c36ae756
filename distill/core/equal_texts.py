"""Rows that read the same through some views, over all record files of a run and whatever their number."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from distill.core.progress import progress
from distill.core.project import ViewConfig
from distill.core.record_store import count_records, field_names, record_batches
from distill.core.tables import opened, quoted, read, room_on_disk

if TYPE_CHECKING:
    import duckdb

_SIDES = "chr(31)"  # between sides; white space in record texts is squeezed, so none contains it


def repeats(records: Path, files: Sequence[str], views: Sequence[ViewConfig]) -> NDArray[np.int64]:
    """Each row that reads like an earlier one, and the first of these: (M, 2), in rising order.

    Rows count from 0 on through the files in turn. Compared is what a view renders before anything is cut, by 128 bits
    of its MD5: rows that differ only beyond a budget or `max_tokens` are told apart here.

    Raises: UserError when a file cannot be read, or there is no room for what is compared.
    """
    counts = [count_records(records, name) for name in files]
    starts = [0, *accumulate(counts)]
    with tempfile.TemporaryDirectory(prefix="equal-") as place, room_on_disk(place):
        tables = opened(Path(place))
        tables.execute("create table texts (number bigint, text uhugeint)")
        with progress("comparing texts", starts[-1]) as advance:
            for name, start, count in zip(files, starts, counts, strict=False):
                _add(tables, records, name, start, views)
                advance(start + count)
        found = tables.sql(
            "select number as own, first from texts join "
            "(select text, min(number) as first from texts group by text having count(*) > 1) using (text) "
            "where number > first order by own"
        ).fetchnumpy()
        return np.column_stack([found["own"], found["first"]]).astype(np.int64)


def _add(tables: duckdb.DuckDBPyConnection, records: Path, name: str, start: int, views: Sequence[ViewConfig]) -> None:
    """Add the rows of a file, from number `start` on.

    DuckDB takes names that differ only in case for one, so fields are named by their places: they come after the id.
    """
    import duckdb

    columns = {path: f"field_{place}" for place, path in enumerate(field_names(records, name))}
    text = _rendered(views, columns)
    file = f"{read([records / f'{name}.parquet'], numbered=True)} as rows({', '.join(['id', *columns.values()])})"
    try:
        tables.execute(f"insert into texts select {start} + file_row_number, md5_number({text}) from {file}")
    except duckdb.Error:
        for _ in record_batches(records, name):
            pass  # a file that is broken is named by this
        raise


def _rendered(views: Sequence[ViewConfig], columns: Mapping[str, str]) -> str:
    """The texts of all views as one in a query; as `Renderer.text` makes them, without its budgets.

    Args: columns: path of each field that the file has to its column in the query.
    """
    both = [way for view in views for way in ([view, view.exchanged] if view.swap else [view])]
    return f" || {_SIDES} || ".join(_side(view, paths, columns) for view in both for paths in (view.left, view.right))


def _side(view: ViewConfig, paths: Sequence[str], columns: Mapping[str, str]) -> str:
    parts = [_field(columns[path], view.prefixes.get(path, "")) for path in paths if path in columns]
    return f"concat_ws({', '.join([quoted(view.separator), *parts])})" if parts else "''"


def _field(column: str, prefix: str) -> str:
    """A field behind its prefix; null, which `concat_ws` leaves out, where it is empty."""
    return f"case when {column} <> '' then {quoted(prefix)} || {column} end"
