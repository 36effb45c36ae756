"""SHA-256 of files, computed once for each state that a file was found in."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from distill.core.errors import UserError
from distill.core.files import read_object, sha256, write_json

_SETTLED_NS = 10**9  # a file changed this shortly ago may change again within the same tick of its clock


class HashCache:
    """SHA-256 of files, remembered under path, size, inode, and the times of the last change of content and of state.

    The last of these is set by the system at every write and cannot be set back, so a file that was changed to the same
    size and given its old modification time is read again. A cache that is broken or cannot be written costs time only.

    Args: path: the file that remembers.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = read_object(path)

    def sha256(self, path: Path) -> str:
        """The file's hash. Raises: UserError when it is missing or cannot be read."""
        try:
            state, started = state_of(path.stat()), time.time_ns()
            seen = self._known.get(str(path))
            if isinstance(seen, list) and len(seen) == len(state) + 1 and seen[:-1] == state:
                return str(seen[-1])
            value = sha256(path)
        except OSError as error:
            raise UserError("cannot read an input file", where=str(path), found=error.strerror) from None
        if started - state[3] > _SETTLED_NS:
            self._known[str(path)] = [*state, value]
            with suppress(UserError):
                write_json(self._path, self._known)
        return value


def state_of(stat: os.stat_result) -> list[int]:
    """What tells one state of a file from another: inode, bytes, and two times in nanoseconds."""
    return [stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
