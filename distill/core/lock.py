"""One process at a time works in a run folder, without what a killed one left there."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from distill.core.errors import UserError
from distill.core.files import disk_error
from distill.core.leftovers import remove_half_written, temporary_folder

_FILE = ".lock"
_TRIES, _BETWEEN_S = 5, 0.05  # `is_held` holds it for a moment


@contextmanager
def at_work(run: Path) -> Iterator[None]:
    """Hold the lock of a run folder, with what a killed run left removed and a temporary folder of one's own.

    Raises: as `run_lock`.
    """
    with run_lock(run), temporary_folder():
        remove_half_written(run)
        yield


def is_held(run: Path) -> bool:
    """Whether a process works in a run folder: it is told from one that was killed by its lock."""
    try:
        with (run / _FILE).open(encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@contextmanager
def run_lock(run: Path) -> Iterator[None]:
    """Hold the lock of a run folder; the system frees it when the process ends, however it ends.

    Raises: UserError when another process holds it, the folder cannot be written, or its disk has no file locks.
    """
    with _opened(run) as file:
        try:
            free = _lock(file)
        except OSError as error:
            raise disk_error(run, error) from error
        if not free:
            file.seek(0)
            raise UserError(
                "another command is working here",
                where=str(run),
                found=f"process {file.read().strip() or 'unknown'}",
                do="wait for it to end, or choose another place with --out",
            )
        if _is_gone(file, run / _FILE):  # the process that held it removed the folder when it was done
            with run_lock(run):
                yield
            return
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield


def _opened(run: Path) -> IO[str]:
    try:
        run.mkdir(parents=True, exist_ok=True)
        return (run / _FILE).open("a+", encoding="utf-8")
    except OSError as error:
        raise disk_error(run, error) from error


def _is_gone(file: IO[str], path: Path) -> bool:
    """Whether another file, or none, is where this one was."""
    try:
        return not os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return True


def _lock(file: IO[str]) -> bool:
    for tried in range(_TRIES):
        if tried:
            time.sleep(_BETWEEN_S)
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    return False
