"""A column of 64-bit keys that is as long as it has to be, in a file where it is long."""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from distill.core.tables import room_on_disk

_BUFFER, _PIECE = 1 << 16, 1 << 20


class KeyColumn:
    """Takes in keys one at a time. In memory are at most 65,536 of them, the others in a file without a name."""

    def __init__(self, keys: Iterable[int] = ()) -> None:
        self._buffer = array("Q")
        self._stored = 0
        for key in keys:
            self.append(key)

    def __len__(self) -> int:
        return self._stored + len(self._buffer)

    def append(self, key: int) -> None:
        """Add a key, 0 ≤ key < 2^64."""
        self._buffer.append(key)
        if len(self._buffer) == _BUFFER:
            self._stored += len(self._buffer)
            with room_on_disk(tempfile.gettempdir()):
                self._file.seek(0, 2)
                self._buffer.tofile(self._file)
                self._file.flush()
            del self._buffer[:]

    def pieces(self) -> Iterator[NDArray[np.uint64]]:
        """All keys in their order, at most 1,048,576 at a time."""
        for start in range(0, self._stored, _PIECE):
            count = min(_PIECE, self._stored - start)
            self._file.seek(8 * start)
            yield np.frombuffer(self._file.read(8 * count), np.uint64)
        yield np.array(self._buffer, np.uint64)

    def whole(self) -> NDArray[np.uint64]:
        """All keys, (N,)."""
        return np.concatenate(list(self.pieces()))

    @cached_property
    def _file(self) -> BinaryIO:
        return tempfile.TemporaryFile()
