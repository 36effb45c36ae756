"""Rows of the user's files, streamed: JSONL, CSV and TSV (each also as .gz) and Parquet; a broken row says why."""

from __future__ import annotations

import glob
import gzip
import os
import re
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from distill.core.errors import UserError, unknown_name
from distill.core.files import Json
from distill.core.intake import encoding as encodings
from distill.core.intake.delimited import read_lines
from distill.core.intake.json_rows import BadJson, json_value
from distill.core.names import shown
from distill.core.paths import instead_of_a_file, matches, require_utf8
from distill.core.project import Project
from distill.core.steady import unchanged

_UNDECODED = re.compile("[\udc80-\udcff]")  # what the surrogateescape handler makes of bytes
_TOO_LONG = re.compile("[^/]{256}")
_PARQUET_ROWS, _BUFFER_BYTES = 1024, 1 << 16


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row cannot be used: a reason that is counted, and the detail of this row.

    Attributes: cut: whether the row reads like the beginning of a longer one.
    """

    reason: str
    detail: str
    cut: bool = False

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


@dataclass(frozen=True)
class Reading:
    """How files are read.

    Attributes: encoding: of text files. quotes: `double`, `none`, or `auto`: double in CSV, none in TSV. columns: the
        paths that are needed, other columns of a Parquet file are not converted; None: all. cut_end: a last row that is
        cut is a bad row like any other, as where rows are answered one by one; else the file is refused.
    """

    encoding: str = "utf-8"
    quotes: str = "auto"
    columns: Collection[str] | None = None
    cut_end: bool = False


PLAIN = Reading()


def data_files(project: Project, base: Path) -> dict[str, list[Path]]:
    """The files of every source: `train`, `valid`, `test.<name>`, `extra.<name>`, `pool.<name>`.

    Args: base: folder that a relative `data.root` starts from.
    Raises: UserError naming the key and the file or glob that matches nothing.
    """
    data, root = project.data, base / project.data.root
    named: dict[str, Sequence[str]] = {"train": data.train, "valid": data.valid or []}
    named |= {f"test.{name}": files for name, files in data.test.items()}
    named |= {f"extra.{name}": files for name, files in data.extra.items()}
    named |= {f"pool.{name}": source.read_files for name, source in data.pool.items()}
    return {source: expand(root, files, f"data.{source}") for source, files in named.items() if files}


def expand(root: Path, patterns: Sequence[str], key: str) -> list[Path]:
    """Files and globs as paths: patterns in their order, the matches of a glob sorted, each file once, links or not.

    Raises: UserError naming `key` and the pattern that matches no file.
    """
    found: dict[str, Path] = {}
    for pattern in patterns:
        if _TOO_LONG.search(pattern) or "\0" in pattern:
            raise UserError("no file can have this name", where=key, found=shown(pattern), do="check the name")
        path = root / pattern
        files = [match for match in ([path] if path.is_file() else matches(root, pattern)) if match.is_file()]
        if not files:
            raise _no_file(key, path, pattern)
        require_utf8(map(str, files))
        for file in files:
            found.setdefault(os.path.realpath(file), file)
    return list(found.values())


def _no_file(key: str, path: Path, pattern: str) -> UserError:
    if path.is_dir():
        do = f"name its files, for example {pattern.rstrip('/')}/*.parquet"
        return UserError("a folder, where files are needed", where=key, found=str(path), do=do)
    what = "no file matches" if glob.has_magic(pattern) else "file not found"
    if there := instead_of_a_file(path):
        what = f"{there}, where a file is needed"
    do = "check the name; it starts from data.root" if key.startswith("data.") else "check the name"
    return UserError(what, where=key, found=str(path), do=do)


def read_rows(path: Path, reading: Reading = PLAIN) -> Iterator[Row]:
    """The rows of a file, one at a time.

    Raises: UserError when the format is unknown, the file is empty, cut short, changed while it is read or unreadable,
        in another encoding than the one named as a whole, or has a header with a repeated name.
    """
    reader, last = _reader(path), None
    encodings.require_usable(reading.encoding)
    with unchanged(path):
        with named_errors(path):
            for last in reader(path, reading):
                yield last
        if last is None:
            raise no_rows(path)
        if not reading.cut_end:
            _require_whole_end(last)


def _require_whole_end(last: Row) -> None:
    """Check that a file does not end inside its last row. Raises: UserError naming the line."""
    if last.problem is None or not last.problem.cut or _ends_a_line(last.file):
        return
    where, found = f"{last.file}, line {last.number}", "the last row cannot be read, and no line end comes after it"
    do = "copy or write the file again; a line end after that row says that it is whole, and only the row is left out"
    raise UserError("the file ends in the middle of a row", where=where, found=found, do=do)


def _ends_a_line(path: Path) -> bool:
    end = b""
    with named_errors(path), open_bytes(path) as file:
        while chunk := file.read(_BUFFER_BYTES):
            end = chunk[-1:]
    return end in (b"\n", b"\r")


def no_rows(path: Path) -> UserError:
    """The error for a file without rows."""
    return UserError("the file has no rows", where=str(path), do="leave it out, or write it again")


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """What reading a file's bytes can raise, as UserErrors that name the file."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError("broken gzip file", where=str(path), found=error, do="copy it again") from None
    except OSError as error:
        raise UserError("cannot read the file", where=str(path), found=error.strerror or error) from None


def open_bytes(path: Path) -> BinaryIO:
    """The file's bytes, unpacked where its name ends in .gz."""
    return cast(BinaryIO, gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb"))


def _jsonl(path: Path, reading: Reading) -> Iterator[Row]:
    for number, line in _lines(path, reading.encoding):
        if not line.strip():
            continue
        values, problem = _json_object(line)
        yield Row(path, number, values, problem, _shown(line) if problem else "")


def _json_object(line: str) -> tuple[dict[str, Any] | None, Problem | None]:
    if problem := _undecoded(line):
        return None, problem
    try:
        value = json_value(line)
    except BadJson as error:
        return None, Problem(error.reason, str(error), error.cut and line.lstrip().startswith("{"))
    if not isinstance(value, dict):
        return None, Problem("not_an_object", f"a JSON object is needed, found {type(value).__name__}")
    return value, None


def _delimited(path: Path, reading: Reading) -> Iterator[Row]:
    tabs = ".tsv" in path.suffixes
    quoted = not tabs if reading.quotes == "auto" else reading.quotes == "double"
    header, lines = read_lines(path, (line for _, line in _lines(path, reading.encoding)), tabs=tabs, quoted=quoted)
    for line in lines:
        if line.cells is None:
            yield Row(path, line.number, None, Problem("broken_csv", line.problem), _shown(line.raw))
            continue
        raw = ",".join(line.cells)
        if problem := _undecoded(raw):
            yield Row(path, line.number, None, problem, _shown(raw))
            continue
        values = header.values(line.cells)
        cells = f"{len(line.cells)} cells under a header of {len(header)}"
        problem = None if values else Problem("wrong_cells", cells, len(line.cells) < len(header))
        yield Row(path, line.number, values, problem, raw if problem else "")


def _parquet(path: Path, reading: Reading) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        file = pq.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER_BYTES)  # else a row group is read whole
        wanted = _parquet_columns(path, file.schema_arrow.names, reading.columns)
        for batch in file.iter_batches(_PARQUET_ROWS, columns=wanted):
            for values in _python_rows(path, batch, whole=reading.columns is not None):
                number += 1
                yield Row(path, number, values)
    except MemoryError:  # Arrow's own is both
        raise
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise UserError("broken Parquet file", where=str(path), found=error, do="write it again") from None


def _parquet_columns(path: Path, names: Sequence[str], columns: Collection[str] | None) -> list[str]:
    """The columns to read: those that are asked for by their path or their first part, all for None.

    Raises: UserError when two of them have one name.
    """
    heads = None if columns is None else {*columns, *(column.partition(".")[0] for column in columns)}
    wanted = [name for name in names if heads is None or name in heads]
    if repeated := sorted({name for name in wanted if wanted.count(name) > 1}):
        raise UserError("duplicate column in the file", where=str(path), found=", ".join(repeated), do="rename one")
    return wanted


def _python_rows(path: Path, batch: Any, *, whole: bool) -> list[Json]:
    """The rows of an Arrow batch.

    Args: whole: all columns are needed. Otherwise those whose type has no Python value are left out.
    Raises: UserError naming such columns where they are needed.
    """
    try:
        return _values(batch)
    except (ValueError, OverflowError, TypeError, ArithmeticError):
        columns = {field: _converts(batch.select([field.name])) for field in batch.schema}
        if not whole and any(columns.values()):
            return _python_rows(path, batch.select([field.name for field, fine in columns.items() if fine]), whole=True)
        unreadable = [f"{field.name} ({field.type})" for field, fine in columns.items() if not fine]
        found, do = ", ".join(unreadable), "cast them to text or numbers, or leave them out of the config"
        raise UserError("columns of a type that cannot be read", where=str(path), found=found, do=do) from None


def _values(batch: Any) -> list[Json]:
    """The rows of an Arrow batch. Times have microseconds at most, as Python's have: pandas, where it is installed,
    would give its own for nanoseconds. Raises: ValueError and the like for values that Python does not have.
    """
    import pyarrow as pa

    def coarser(kind: Any) -> Any:
        if pa.types.is_timestamp(kind) and kind.unit == "ns":
            return pa.timestamp("us", kind.tz)
        return pa.duration("us") if pa.types.is_duration(kind) and kind.unit == "ns" else kind

    schema = pa.schema([field.with_type(coarser(field.type)) for field in batch.schema])
    # Cast, a batch of no column would have no rows either.
    rows: list[Json] = (batch.cast(schema) if batch.num_columns else batch).to_pylist()
    return rows


def _converts(column: Any) -> bool:
    """Whether Python has the values of a batch of one column."""
    try:
        _values(column)
    except (ValueError, OverflowError, TypeError, ArithmeticError):
        return False
    return True


def _lines(path: Path, encoding: str) -> Iterator[tuple[int, str]]:
    """Numbered lines with undecodable bytes as U+DC80…U+DCFF, of a file that as a whole is in the encoding.

    Raises: UserError for a file in another one, as far as that can be told.
    """
    unicode, checked = encodings.is_utf8(encoding), False
    with open_bytes(path) as file:
        for number, line in enumerate(_by_line(file), 1):
            if number == 1:
                encodings.refuse_utf16(path, line)
                line = line.removeprefix(b"\xef\xbb\xbf")
            text = line.decode(encoding, "surrogateescape")
            if not checked and (_UNDECODED.search(text) if unicode else not line.isascii()):
                checked = True
                with open_bytes(path) as again:
                    if unicode:
                        encodings.refuse_foreign(path, again, number)
                    else:
                        encodings.refuse_utf8(path, again, encoding)
            yield number, text


def _by_line(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file; one without a single line feed may end its lines with carriage returns."""
    for line in file:
        alone = b"\r" in line and not line.endswith(b"\n")
        yield from line.splitlines(keepends=True) if alone else (line,)


def _undecoded(text: str) -> Problem | None:
    found = None if text.isascii() else _UNDECODED.search(text)
    if found is None:
        return None
    near = _shown(text[max(0, found.start() - 20) : found.start() + 20]).strip()
    return Problem("invalid_utf8", f"bytes that the encoding does not know, near {near!r}")


def _shown(text: str) -> str:
    """`text` with undecodable bytes shown as U+FFFD."""
    return _UNDECODED.sub("�", text)


_READERS: dict[str, Callable[[Path, Reading], Iterator[Row]]] = {
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".csv": _delimited,
    ".tsv": _delimited,
    ".parquet": _parquet,
}


def _reader(path: Path) -> Callable[[Path, Reading], Iterator[Row]]:
    suffix = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    if suffix not in _READERS or (suffix == ".parquet" and path.suffix == ".gz"):
        raise unknown_name("file format", path.name, [*_READERS, ".jsonl.gz", ".csv.gz", ".tsv.gz"], str(path))
    return _READERS[suffix]
