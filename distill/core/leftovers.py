"""What a killed process leaves, named after it: half-written files and temporary folders, gone at the next start."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_HALF_WRITTEN = re.compile(r"\..+\.(\d+)\.partial")  # of `files.replacing`
_TEMPORARY = "distill-"
_NUMBERED_BY = Path("/proc/self/ns/pid")  # of the processes whose numbers count together: those of a container


def remove_half_written(folder: Path, name: str | None = None) -> None:
    """Remove the files below `folder` that a process which is gone was writing; those of this process count as such.

    A process of another machine that writes there holds the lock of the folder, so numbers of this one are enough.

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
    with tempfile.TemporaryDirectory(prefix=f"{_TEMPORARY}{own_name()}-", ignore_cleanup_errors=True) as folder:
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        try:
            yield Path(folder)
        finally:
            tempfile.tempdir = default
            os.environ.pop("TMPDIR")
            if variable is not None:
                os.environ["TMPDIR"] = variable


def own_name() -> str:
    """What names this process among all that share a disk: a mark of where numbers count together, and its number."""
    return f"{_mark()}-{os.getpid()}"


def has_ended(name: str) -> bool:
    """Whether the process of an `own_name` has surely ended; one on another machine or in a container may be alive."""
    mark, _, number = name.partition("-")
    return mark == _mark() and number.isdecimal() and not is_alive(int(number))


def is_alive(process: int) -> bool:
    """Whether a process of this number runs on this machine."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _mark() -> str:
    found = [socket.gethostname()]
    with suppress(OSError):
        found.append(os.readlink(_NUMBERED_BY))
    return hashlib.sha256(" ".join(found).encode()).hexdigest()[:8]


def _remove_temporary(parent: Path) -> None:
    for path in parent.glob(f"{_TEMPORARY}*-*"):
        if has_ended(path.name.removeprefix(_TEMPORARY).rpartition("-")[0]):
            shutil.rmtree(path, ignore_errors=True)
