"""What a killed process leaves, named after it: half-written files and temporary folders, gone at the next start."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_HALF_WRITTEN = re.compile(r"\..+\.(\d+)\.partial")  # of `files.replacing`
_TEMPORARY = "distill-"


def remove_half_written(folder: Path, name: str | None = None) -> None:
    """Remove the files below `folder` that a process which is gone was writing; those of this process count as such.

    Args: name: only those of this file, directly in `folder`.
    """
    pattern = ".*.partial"
    for path in list(folder.rglob(pattern) if name is None else folder.glob(pattern)):
        found = _HALF_WRITTEN.fullmatch(path.name)
        if not found or not path.is_file() or (name is not None and not path.name.startswith(f".{name}.")):
            continue
        if int(found[1]) == os.getpid() or not is_alive(int(found[1])):
            with suppress(OSError):
                path.unlink()


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that takes the place of the system's temporary one, for this process and those that it starts.

    Libraries leave files there that nobody reads again. It is removed at the end, and after a kill by the next one.
    """
    _remove_temporary(Path(tempfile.gettempdir()))
    variable, default = os.environ.get("TMPDIR"), tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix=f"{_TEMPORARY}{os.getpid()}-", ignore_cleanup_errors=True) as folder:
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        try:
            yield Path(folder)
        finally:
            tempfile.tempdir = default
            os.environ.pop("TMPDIR")
            if variable is not None:
                os.environ["TMPDIR"] = variable


def is_alive(process: int) -> bool:
    """Whether a process of this number runs on this machine."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _remove_temporary(parent: Path) -> None:
    for path in parent.glob(f"{_TEMPORARY}*-*"):
        number = path.name.removeprefix(_TEMPORARY).partition("-")[0]
        if number.isdecimal() and not is_alive(int(number)):
            shutil.rmtree(path, ignore_errors=True)
