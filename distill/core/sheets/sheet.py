"""A CSV sheet that a spreadsheet opens without running anything, and that comes back from it as it was."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from distill.core.errors import UserError
from distill.core.files import write_bytes
from distill.core.intake.delimited import read_lines
from distill.core.intake.sources import named_errors
from distill.core.paths import require_file

ID, LABEL, NOTE, REASON = "id", "label", "note", "reason"
# What spreadsheets take for a formula at the beginning of a cell; a cell that begins with the sign that makes text of
# it gets one more, so that every cell comes back as it was.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "'")
# What they take for a number, a sum of money, a date or a truth value and save in a form of their own: 00123 as 123.
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|янв|фев|мар|апр|май|мая|июн|июл|авг|сен|окт|ноя|дек"
_VALUES = re.compile(
    rf"\s*(?:[(.,$€£¥₽−]*\d|(?:{_MONTHS})[^\W\d_]*[\s.,/-]*\d|(?:true|false|истина|ложь)\s*$)", re.IGNORECASE
)
_LONGEST = 32_000  # characters of a cell; spreadsheets cut cells at 32,767
_AS_CSV = "save it as CSV, in UTF-8 (Excel: “CSV UTF-8”; LibreOffice: Text CSV, Unicode)"


@dataclass(frozen=True)
class SheetRow:
    """One row as it was read. Attributes: number: its first line. cells: by column, as they were written."""

    number: int
    cells: Mapping[str, str]

    @property
    def id(self) -> str:
        """Of the record; '' where the cell is empty."""
        return self.cells[ID].strip()


def escaped(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULAS) else text


def kept(text: str) -> str:
    """A cell that spreadsheets leave as it is."""
    return f"'{text}" if _VALUES.match(text) else escaped(text)


def unescaped(cell: str) -> str:
    """The text of a cell that `kept` or `escaped` wrote, or that a person typed."""
    return cell[1:] if cell.startswith("'") else cell


def shown_text(text: str) -> str:
    """A text as far as a cell holds it."""
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def columns_of(fields: Sequence[str]) -> dict[str, str]:
    """The column of each field: its path, marked where the sheet has a column of that name itself."""
    return {path: f"{path} (text)" if path in (ID, LABEL, NOTE, REASON) else path for path in fields}


def write_sheet(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, str]], *, force: bool = False) -> None:
    """Write a sheet: UTF-8 with the mark by which Excel knows it. Columns that a row has not are empty.

    Raises: UserError where a file is there already and `force` is not given.
    """
    if path.exists() and not force:
        do = "choose another --out, or give --force"
        raise UserError("the sheet is there already, and may be filled in", where=str(path), do=do)
    _write(path, columns, ([kept(row.get(name, "")) for name in columns] for row in rows))


def write_table(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
    """Write a table to look at as a sheet is written, but that its figures stay figures. A file there is replaced."""
    _write(path, columns, ([escaped(row.get(name, "")) for name in columns] for row in rows))


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(rows)
    write_bytes(path, codecs.BOM_UTF8 + text.getvalue().encode())


def read_sheet(path: Path) -> list[SheetRow]:
    """The rows of a sheet as a spreadsheet saved it: commas, semicolons or tabs between cells, UTF-8 or UTF-16.

    Raises: UserError for a file that is no such text, that has no column id or label, or no row, and for broken rows.
    """
    require_file(path, "sheet not found", "check the name")
    with named_errors(path):
        text = _decoded(path, path.read_bytes())
    header, lines = read_lines(path, io.StringIO(text, newline=""), tabs=False, quoted=True)
    found: list[SheetRow] = []
    for line in lines:
        cells = None if line.cells is None else header.values(line.cells)
        if cells is None:
            problem = line.problem or f"{len(line.cells or ())} cells under a header of {len(header)}"
            raise UserError("a broken row", where=f"{path}, line {line.number}", found=problem, do="restore the row")
        if missing := [name for name in (ID, LABEL) if name not in cells]:
            known = ", ".join(cells)
            do = "keep the columns of the sheet that was written"
            raise UserError(f"no column {' or '.join(missing)}", where=str(path), found=known, do=do)
        found.append(SheetRow(line.number, {name: unescaped(str(cell)) for name, cell in cells.items()}))
    if not found:
        raise UserError("the sheet has no rows", where=str(path), do="give the sheet that was written, filled in")
    return found


def _decoded(path: Path, data: bytes) -> str:
    """Raises: UserError for what is no UTF-8 or marked UTF-16."""
    marked = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        what = "the sheet is in another encoding, or no text"
        raise UserError(what, where=f"{path}, line {line}", found=error.reason, do=_AS_CSV) from None
