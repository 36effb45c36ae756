"""The files to answer: what tells them from others, and whether they still are what they were."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from distill.core.errors import UserError
from distill.core.files import sha256
from distill.core.hashes import state_of
from distill.core.intake.encoding import reads_as_utf8
from distill.core.intake.sources import PLAIN, Reading, expand, named_errors, no_rows, open_bytes

_READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Input:
    """One file.

    Attributes: size: in bytes. rows: of a Parquet file; of a text file its lines, so at most as many rows. state: what
        the system says of it, see `hashes.state_of`. reading: how its rows are read.
    """

    path: Path
    size: int
    sha256: str
    rows: int
    state: tuple[int, ...]
    reading: Reading

    def require_unchanged(self) -> None:
        """Check that nobody has written to the file, replaced or removed it. Raises: UserError."""
        if _state(self.path) != self.state:
            do = "start the same command again when nobody writes to it any more"
            raise UserError("the file was changed while it was read", where=str(self.path), do=do)


def input_paths(files: Sequence[str]) -> list[Path]:
    """Files and globs of the command line as paths, each file once. Raises: UserError for one that matches no file."""
    return expand(Path(), files, "FILE")


def surveyed(path: Path, reading: Reading = PLAIN, hash_of: Callable[[Path], str] = sha256) -> Input:
    """A file's hash and rows; reads it a few times, a piece at a time.

    Args: reading: of a project; a file in UTF-8 is read as such, as it may come from elsewhere than the project's own.
        hash_of: gives its SHA-256; `HashCache.sha256` does not hash a file again that has not changed.
    Raises: UserError when it cannot be read, has no rows, or changes meanwhile.
    """
    state = _state(path)
    found = Input(path, path.stat().st_size, hash_of(path), _rows(path), state, _as_it_is(path, reading))
    found.require_unchanged()
    if not found.rows:
        raise no_rows(path)
    return found


def _state(path: Path) -> tuple[int, ...]:
    try:
        return tuple(state_of(os.stat(path)))
    except OSError as error:
        do = "start the same command again when it is there: finished shards are kept"
        raise UserError("the file is gone", where=str(path), found=error.strerror, do=do) from None


def _as_it_is(path: Path, reading: Reading) -> Reading:
    if path.suffix == ".parquet" or reading.encoding == PLAIN.encoding:
        return reading
    with named_errors(path), open_bytes(path) as file:
        return replace(reading, encoding=PLAIN.encoding) if reads_as_utf8(file) else reading


def _rows(path: Path) -> int:
    with named_errors(path):
        if path.suffix == ".parquet":
            try:
                return int(pq.read_metadata(path).num_rows)
            except pa.ArrowException as error:
                raise UserError("broken Parquet file", where=str(path), found=error, do="write it again") from None
        lines, last = 0, b"\n"
        with open_bytes(path) as file:
            while piece := file.read(_READ_BYTES):
                lines, last = lines + piece.count(b"\n"), piece[-1:]
        return lines + (last != b"\n")
