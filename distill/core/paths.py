"""Files that the user names: what is at a path when it is no file, and what a glob means."""

from __future__ import annotations

import errno
import glob
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath

from distill.core.errors import UserError

_EVERY_FOLDER = "**"
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_ERRORS = {errno.ELOOP: "a link that leads back to itself", errno.EACCES: "a place that may not be looked into"}


def require_file(path: Path, missing: str = "file not found", do: str = "check the name") -> None:
    """Check that a regular file is at `path`. Args: missing: what to say where nothing is.

    Raises: UserError naming what is there instead.
    """
    found = instead_of_a_file(path)
    if found is not None:
        raise UserError(f"{found}, where a file is needed" if found else missing, where=str(path), do=do)


def instead_of_a_file(path: Path) -> str | None:
    """What is at `path`: None for a regular file, "" for nothing."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        dangling = error.errno == errno.ENOENT and path.is_symlink()
        return "a link to nothing" if dangling else _ERRORS.get(error.errno or 0, "")
    if stat.S_ISREG(mode):
        return None
    return next((name for is_kind, name in _KINDS if is_kind(mode)), "no regular file")


def require_utf8(texts: Iterable[str]) -> None:
    """Check that names of the command line or the disk are UTF-8. Raises: UserError showing the bytes that are not."""
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError:
            shown = os.fsencode(text).decode("utf-8", "backslashreplace")
            do = "rename the file or folder, or use a copy of another name"
            raise UserError("a name that is not UTF-8", where=shown, do=do) from None


def matches(root: Path, pattern: str) -> list[Path]:
    """The paths below `root` that a glob matches, sorted; `**` enters each folder once, however many links lead to it.

    Only the pattern is one: brackets in the root's own name are letters.
    """
    parts = PurePath(pattern).parts
    if _EVERY_FOLDER not in parts:
        return sorted((root / match for match in glob.glob(pattern, root_dir=root)), key=str)
    at = parts.index(_EVERY_FOLDER)
    starts = matches(root, str(PurePath(*parts[:at]))) if at else [root]
    after = str(PurePath(*(parts[at + 1 :] or ("*",))))
    folders = (folder for start in starts if start.is_dir() for folder in _folders(start, set()))
    return sorted({match for folder in folders for match in matches(folder, after)}, key=str)


def _folders(folder: Path, seen: set[str]) -> Iterator[Path]:
    """A folder and those below it, but hidden ones and those that were seen."""
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    yield folder
    for path in sorted(folder.iterdir()):
        if not path.name.startswith(".") and path.is_dir():
            yield from _folders(path, seen)
