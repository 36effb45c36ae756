"""Rows of the user's files, streamed: JSONL, CSV and TSV (each also as .gz) and Parquet; a broken row says why."""

from __future__ import annotations

import csv
import glob
import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from distill.core.errors import UserError, unknown_name
from distill.core.intake import encoding as encodings
from distill.core.project import Project

_UNDECODED = re.compile("[\udc80-\udcff]")  # what the surrogateescape handler makes of bytes
_PARQUET_ROWS = 1024
_FIELD_LIMIT = 2**31 - 1  # csv's own limit is 128 KiB


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row cannot be used: a reason that is counted, and the detail of this row."""

    reason: str
    detail: str

    def __str__(self) -> str:
        """Both, for messages."""
        return f"{self.reason}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file, as written there.

    Attributes:
        file: path of the file.
        number: line of a text file (1-based, the first one of the row), row of a Parquet file (1-based).
        values: column to value; None when the row could not be read.
        problem: why it could not be read, None when it could.
        raw: the text of an unreadable row.
    """

    file: Path
    number: int
    values: dict[str, Any] | None
    problem: Problem | None = None
    raw: str = ""


def data_files(project: Project, base: Path) -> dict[str, list[Path]]:
    """The files of every source: `train`, `valid`, `test.<name>`, `pool.<name>`.

    Args: base: folder that a relative `data.root` starts from.
    Raises: UserError naming the key and the file or glob that matches nothing.
    """
    data, root = project.data, base / project.data.root
    named: dict[str, Sequence[str]] = {"train": data.train, "valid": data.valid or []}
    named |= {f"test.{name}": files for name, files in data.test.items()}
    named |= {f"pool.{name}": source.files for name, source in data.pool.items()}
    return {source: expand(root, files, f"data.{source}") for source, files in named.items() if files}


def expand(root: Path, patterns: Sequence[str], key: str) -> list[Path]:
    """Files and globs as paths: patterns in their order, the matches of a glob sorted, each file once.

    Raises: UserError naming `key` and the pattern that matches no file.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        path = root / pattern
        matches = [path] if path.is_file() else [Path(match) for match in sorted(glob.glob(str(path), recursive=True))]
        files = [match for match in matches if match.is_file()]
        if not files:
            what = "no file matches" if glob.has_magic(pattern) else "file not found"
            raise UserError(what, where=key, found=str(path), do="check the name; it starts from data.root")
        found |= dict.fromkeys(files)
    return list(found)


def read_rows(path: Path, encoding: str = "utf-8") -> Iterator[Row]:
    """The rows of a file, one at a time.

    Raises: UserError when the format is unknown, the file is empty, truncated or unreadable, in another encoding than
        `encoding` as a whole, or has a header with a repeated name.
    """
    reader, count = _reader(path), 0
    encodings.require_usable(encoding)
    try:
        for row in reader(path, encoding):
            count += 1
            yield row
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError("broken gzip file", where=str(path), found=error, do="copy it again") from None
    except OSError as error:
        raise UserError("cannot read the file", where=str(path), found=error.strerror or error) from None
    if not count:
        raise UserError("the file has no rows", where=str(path), do="remove it from the config or write it again")


def open_bytes(path: Path) -> BinaryIO:
    """The file's bytes, unpacked where its name ends in .gz."""
    return cast(BinaryIO, gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb"))


def _jsonl(path: Path, encoding: str) -> Iterator[Row]:
    for number, line in _lines(path, encoding):
        if not line.strip():
            continue
        values, problem = _json_object(line)
        yield Row(path, number, values, problem, _shown(line) if problem else "")


def _json_object(line: str) -> tuple[dict[str, Any] | None, Problem | None]:
    if problem := _undecoded(line):
        return None, problem
    try:
        value = json.loads(line, parse_constant=lambda name: None)
    except (ValueError, RecursionError) as error:
        return None, Problem("broken_json", str(error))
    if not isinstance(value, dict):
        return None, Problem("not_an_object", f"a JSON object is needed, found {type(value).__name__}")
    return value, None


def _table(path: Path, encoding: str) -> Iterator[Row]:
    csv.field_size_limit(_FIELD_LIMIT)
    lines = (line for _, line in _lines(path, encoding))
    first = next(lines, "")
    delimiter = _delimiter(path, first)
    header = _header(path, next(csv.reader([first], delimiter=delimiter), []))
    reader, start = csv.reader(lines, delimiter=delimiter, strict=True), 0
    while True:
        number = start + 2  # line 1 is the header
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end" in str(error):
                raise _unclosed(path, number) from None
            yield Row(path, number, None, Problem("broken_csv", str(error)))
        else:
            if cells:
                yield _table_row(path, number, header, cells)
        start = reader.line_num


def _table_row(path: Path, number: int, header: list[str], cells: list[str]) -> Row:
    raw = ",".join(cells)
    if problem := _undecoded(raw):
        return Row(path, number, None, problem, _shown(raw))
    if len(cells) != len(header):
        problem = Problem("wrong_cells", f"{len(cells)} cells under a header of {len(header)}")
        return Row(path, number, None, problem, raw)
    return Row(path, number, dict(zip(header, cells, strict=True)))


def _header(path: Path, names: list[str]) -> list[str]:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        found = ", ".join(repeated)
        raise UserError("duplicate column in the header", where=str(path), found=found, do="rename one")
    return names


def _delimiter(path: Path, header: str) -> str:
    if ".tsv" in path.suffixes:
        return "\t"
    return ";" if ";" in header and "," not in header else ","


def _unclosed(path: Path, line: int) -> UserError:
    what = "a quote is opened and never closed, so the rest of the file reads as one cell"
    return UserError(what, where=f"{path}, line {line}", do='close it, or double each quote inside a quoted cell ("")')


def _parquet(path: Path, encoding: str) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        for batch in pq.ParquetFile(path).iter_batches(_PARQUET_ROWS):
            for values in batch.to_pylist():
                number += 1
                yield Row(path, number, values)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise UserError("broken Parquet file", where=str(path), found=error, do="write it again") from None


def _lines(path: Path, encoding: str) -> Iterator[tuple[int, str]]:
    """Numbered lines with undecodable bytes as U+DC80…U+DCFF, once the file as a whole has been found to be UTF-8."""
    checked = encoding.lower().replace("_", "-") not in ("utf-8", "utf8", "utf-8-sig")
    with open_bytes(path) as file:
        for number, line in enumerate(file, 1):
            if number == 1:
                encodings.refuse_utf16(path, line)
                line = line.removeprefix(b"\xef\xbb\xbf")
            text = line.decode(encoding, "surrogateescape")
            if not checked and _UNDECODED.search(text):
                checked = True
                with open_bytes(path) as again:
                    encodings.refuse_foreign(path, again, number)
            yield number, text


def _undecoded(text: str) -> Problem | None:
    found = None if text.isascii() else _UNDECODED.search(text)
    if found is None:
        return None
    near = _shown(text[max(0, found.start() - 20) : found.start() + 20]).strip()
    return Problem("invalid_utf8", f"bytes that the encoding does not know, near {near!r}")


def _shown(text: str) -> str:
    """`text` with undecodable bytes shown as U+FFFD."""
    return _UNDECODED.sub("�", text)


_READERS: dict[str, Callable[[Path, str], Iterator[Row]]] = {
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".csv": _table,
    ".tsv": _table,
    ".parquet": _parquet,
}


def _reader(path: Path) -> Callable[[Path, str], Iterator[Row]]:
    suffix = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    if suffix not in _READERS or (suffix == ".parquet" and path.suffix == ".gz"):
        raise unknown_name("file format", path.name, [*_READERS, ".jsonl.gz", ".csv.gz", ".tsv.gz"], str(path))
    return _READERS[suffix]
