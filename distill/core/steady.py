"""Input files that must stay as they are while they are read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from distill.core.errors import UserError


@contextmanager
def unchanged(path: Path) -> Iterator[None]:
    """Read a file in the block. What the file causes there counts as a change where it has changed by then.

    Raises: UserError when its inode, size or time of change differ after the block, or when it is gone.
    """
    before = _state(path)
    try:
        yield
    except (UserError, OSError) as error:
        _require_equal(path, before, error)
        raise
    _require_equal(path, before, None)


def changed_file(path: Path, found: str) -> UserError:
    """The error for a file that is another one at the end of a pass than at its start."""
    do = "wait until it is written, or read a copy of it, then start again: nothing of this pass was kept"
    return UserError("the file changed while it was read", where=str(path), found=found, do=do)


def _require_equal(path: Path, before: os.stat_result | None, cause: Exception | None) -> None:
    after = _state(path)
    if before is None or (after is not None and _identity(after) == _identity(before)):
        return
    raise changed_file(path, _difference(before, after)) from cause


def _difference(before: os.stat_result, after: os.stat_result | None) -> str:
    if after is None:
        return "it is gone"
    if after.st_ino != before.st_ino:
        return "another file has its name now"
    if after.st_size != before.st_size:
        return f"{before.st_size:,} bytes at the start, {after.st_size:,} at the end"
    return "it was written to"


def _identity(stat: os.stat_result) -> tuple[int, int, int, int]:
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns


def _state(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None
