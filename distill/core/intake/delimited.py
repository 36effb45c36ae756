"""CSV and TSV: each with its own rule for quotes, one reader for header and rows, and what spreadsheets add."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.core.errors import UserError

_FIELD_LIMIT = 2**31 - 1  # csv's own limit is 128 KiB
_SWALLOWED, _NEARLY_ALL = 3, 0.9  # lines that read like rows, and their share, from which a cell is no text
_QUOTED = re.compile(r'"[^"]*"')
_SEP = re.compile(r'^"?sep=(.)"?\s*$')  # what spreadsheets write to name the delimiter


@dataclass(frozen=True)
class Line:
    """One row: its first line (1-based), and its cells, or why it has none and its text."""

    number: int
    cells: Sequence[str] | None
    problem: str = ""
    raw: str = ""


class Header:
    """The columns of a file. Columns without a name are left out: spreadsheets add empty ones.

    Raises: UserError for names that two columns have, and where no column has one.
    """

    def __init__(self, path: Path, cells: Sequence[str]) -> None:
        self._cells = list(cells)
        self._named = {name: index for index, name in enumerate(cells) if name.strip()}
        repeated = sorted({name for name in self._named if cells.count(name) > 1})
        if repeated:
            found = ", ".join(repeated)
            raise UserError("duplicate column in the header", where=str(path), found=found, do="rename one")
        if not self._named:
            raise UserError("the header names no column", where=str(path), do="write the columns' names in line 1")

    def values(self, cells: Sequence[str]) -> dict[str, Any] | None:
        """Column to cell; None for a row with other cells than the header has, empty ones at the end apart."""
        last = max(self._named.values())
        if len(cells) <= last or any(cell.strip() for cell in cells[len(self._cells) :]):
            return None
        return {name: cells[index] for name, index in self._named.items()}

    def __len__(self) -> int:
        """Number of columns with a name."""
        return len(self._named)


def read_lines(path: Path, lines: Iterable[str], *, tabs: bool, quoted: bool) -> tuple[Header, Iterator[Line]]:
    """The header and the rows of a file, blank ones left out.

    Args: lines: of the file, with their ends. tabs: of a TSV. quoted: whether quotes hold cells together; else a quote
        is a character like any other.
    Raises: UserError for a header that cannot be used, and for a quote that is never closed, or only after lines that
        read like rows.
    """
    csv.field_size_limit(_FIELD_LIMIT)
    source = _Lines(lines)
    first = next(source, "")
    named = _SEP.match(first)
    if named and not tabs:
        first = next(source, "")
    source.read_again([first])
    source.begin_row()
    delimiter = "\t" if tabs else named.group(1) if named else _delimiter(first)
    if quoted:
        reader = csv.reader(source, delimiter=delimiter, strict=True)
    else:
        reader = csv.reader(source, delimiter=delimiter, strict=True, quoting=csv.QUOTE_NONE)
    try:
        cells = next(reader, [])
    except csv.Error as error:
        raise _unclosed(path, source.row_number) from error
    header = Header(path, cells)
    return header, _rows(path, reader, source, _RowLike(len(cells), delimiter))


class _Lines(Iterator[str]):
    """The lines of a file, of which some can be read again.

    Attributes: row: the lines of the row that is being read. row_number: of its first one, 1-based.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines, self._again = iter(lines), deque[str]()
        self.row: list[str] = []
        self.row_number = 1

    def __next__(self) -> str:
        self.row.append(self._again.popleft() if self._again else next(self._lines))
        return self.row[-1]

    def begin_row(self) -> None:
        """The lines that come now are of another row."""
        self.row_number += len(self.row)
        self.row = []

    def read_again(self, lines: Sequence[str]) -> None:
        """Let the last lines of the row come once more."""
        del self.row[len(self.row) - len(lines) :]
        self._again.extendleft(reversed(lines))


class _RowLike:
    """Tells lines that read like rows: with the header's number of cells, none of which begins with white space."""

    def __init__(self, cells: int, delimiter: str) -> None:
        self._cells, self._delimiter = cells, delimiter

    def within(self, lines: Sequence[str]) -> int:
        """How many rows the cells of a row have swallowed, by the lines between its first and its last; 0 for texts."""
        inner = lines[1:-1]
        found = sum(map(self._is_row, inner))
        return found if found >= max(_SWALLOWED, _NEARLY_ALL * len(inner)) else 0

    def _is_row(self, line: str) -> bool:
        cells = line.rstrip("\r\n").split(self._delimiter)
        return len(cells) == self._cells > 1 and not any(cell[:1].isspace() for cell in cells[1:])


def _rows(path: Path, reader: Any, source: _Lines, row_like: _RowLike) -> Iterator[Line]:
    """The rows; of one that is broken after several lines only the first is lost, and the others are read again."""
    while True:
        source.begin_row()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end" in str(error):
                raise _unclosed(path, source.row_number) from None
            source.read_again(source.row[1:])
            yield Line(source.row_number, None, str(error), source.row[0])
        else:
            if swallowed := row_like.within(source.row):
                raise _swallows(path, source.row_number, source.row_number + len(source.row) - 1, swallowed)
            if any(cell.strip() for cell in cells):
                yield Line(source.row_number, cells)


def _delimiter(header: str) -> str:
    """The sign between the columns' names: the most frequent one outside quotes, a comma where none is."""
    bare = _QUOTED.sub("", header)
    return max(",;\t|", key=bare.count)


def _unclosed(path: Path, line: int) -> UserError:
    what = "a quote is opened and never closed, so the rest of the file reads as one cell"
    return UserError(what, where=f"{path}, line {line}", do='close it, or double each quote inside a quoted cell ("")')


def _swallows(path: Path, first: int, last: int, rows: int) -> UserError:
    return UserError(
        f"a quote is opened, and closed only in line {last}; {rows} lines between that read like rows are in one row",
        where=f"{path}, line {first}",
        do='close it, or double each quote inside a quoted cell (""); a cell that does hold such lines is read '
        "from JSONL and Parquet",
    )
