"""CSV and TSV: each with its own rule for quotes, one reader for header and rows, and what spreadsheets add."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from distill.core.errors import UserError

_FIELD_LIMIT = 2**31 - 1  # csv's own limit is 128 KiB
_QUOTED = re.compile(r'"[^"]*"')
_SEP = re.compile(r'^"?sep=(.)"?\s*$')  # what spreadsheets write to name the delimiter


@dataclass(frozen=True)
class Line:
    """One row: its first line (1-based), and its cells or why it has none."""

    number: int
    cells: Sequence[str] | None
    problem: str = ""


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
    Raises: UserError for a header that cannot be used, and for a quote that is never closed.
    """
    csv.field_size_limit(_FIELD_LIMIT)
    source = iter(lines)
    first = next(source, "")
    named, before = _SEP.match(first), 0
    if named and not tabs:
        first, before = next(source, ""), 1
    delimiter = "\t" if tabs else named.group(1) if named else _delimiter(first)
    rows = chain([first], source)
    if quoted:
        reader = csv.reader(rows, delimiter=delimiter, strict=True)
    else:
        reader = csv.reader(rows, delimiter=delimiter, strict=True, quoting=csv.QUOTE_NONE)
    try:
        header = Header(path, next(reader, []))
    except csv.Error as error:
        raise _unclosed(path, before + 1) from error
    return header, _rows(path, reader, before)


def _rows(path: Path, reader: Any, before: int) -> Iterator[Line]:
    start = reader.line_num
    while True:
        number = before + start + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end" in str(error):
                raise _unclosed(path, number) from None
            yield Line(number, None, str(error))
        else:
            if any(cell.strip() for cell in cells):
                yield Line(number, cells)
        start = reader.line_num


def _delimiter(header: str) -> str:
    """The sign between the columns' names: the most frequent one outside quotes, a comma where none is."""
    bare = _QUOTED.sub("", header)
    return max(",;\t|", key=bare.count)


def _unclosed(path: Path, line: int) -> UserError:
    what = "a quote is opened and never closed, so the rest of the file reads as one cell"
    return UserError(what, where=f"{path}, line {line}", do='close it, or double each quote inside a quoted cell ("")')
