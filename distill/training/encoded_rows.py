"""Encoded rows: token ids of windows in Arrow files, mapped into memory and sliced as batches need them.

One file holds a run of rows as one record batch: `ids`, a list of windows of token ids, and `types`, their segment ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from distill.core.errors import UserError
from distill.core.files import replacing
from distill.core.rendering import Encoded, Window

_SMALL_IDS = 2**16


@dataclass(frozen=True)
class EncodedPart:
    """The rows of one file, as views of it.

    Attributes: windows: where each row's windows start, int32 (N + 1,). tokens: where each window's tokens start,
        int32 (W + 1,). ids: uint16 or int32 (T,). types: uint8 (T,).
    """

    windows: NDArray[np.int32]
    tokens: NDArray[np.int32]
    ids: NDArray[Any]
    types: NDArray[np.uint8]

    @classmethod
    def of(cls, batch: pa.RecordBatch) -> EncodedPart:
        """Views of a record batch."""
        ids, types = batch.column("ids"), batch.column("types")
        return cls(
            ids.offsets.to_numpy(),
            ids.values.offsets.to_numpy(),
            ids.values.values.to_numpy(),
            types.values.values.to_numpy(),
        )

    def __len__(self) -> int:
        """N."""
        return len(self.windows) - 1

    def row(self, index: int) -> list[Window]:
        """The windows of a row."""
        found = []
        for window in range(self.windows[index], self.windows[index + 1]):
            span = slice(self.tokens[window], self.tokens[window + 1])
            found.append(Window(self.ids[span].tolist(), self.types[span].tolist()))
        return found

    def lengths(self) -> NDArray[np.int32]:
        """Tokens of each row's longest window, int32 (N,)."""
        if not len(self):
            return np.zeros(0, np.int32)
        return np.maximum.reduceat(np.diff(self.tokens), self.windows[:-1])


class EncodedRows(Sequence[list[Window]]):
    """The rows of several parts, end to end. Attributes: lengths: tokens of each row's longest window, int32 (N,)."""

    def __init__(self, parts: Sequence[EncodedPart]) -> None:
        self._parts = list(parts)
        self._starts = np.cumsum([0, *map(len, self._parts)])
        self.lengths: NDArray[np.int32] = np.concatenate([np.zeros(0, np.int32), *(one.lengths() for one in parts)])

    def __len__(self) -> int:
        """N."""
        return int(self._starts[-1])

    def __getitem__(self, index: Any) -> Any:
        """The windows of a row. Args: index: 0 to N − 1."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        part = int(np.searchsorted(self._starts, index, side="right")) - 1
        return self._parts[part].row(int(index - self._starts[part]))


def encoded_batch(rows: Sequence[Encoded]) -> pa.RecordBatch:
    """Encoded rows as a record batch."""
    windows = [window for row in rows for window in row.windows]
    starts = _offsets([len(row.windows) for row in rows])
    tokens = _offsets([len(window.ids) for window in windows])
    ids = np.array([token for window in windows for token in window.ids], np.int32)
    types = np.array([kind for window in windows for kind in window.type_ids], np.uint8)
    flat = {"ids": ids.astype(np.uint16) if ids.max(initial=0) < _SMALL_IDS else ids, "types": types}
    columns = {
        name: pa.ListArray.from_arrays(starts, pa.ListArray.from_arrays(tokens, pa.array(values)))
        for name, values in flat.items()
    }
    return pa.RecordBatch.from_pydict(columns)


def write_encoded(path: Path, batch: pa.RecordBatch) -> None:
    """Write an Arrow file atomically."""
    with replacing(path) as partial, pa.OSFile(str(partial), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as file:
        file.write_batch(batch)


def map_encoded(path: Path) -> EncodedPart:
    """The rows of an Arrow file, mapped into memory. Raises: UserError when it is damaged."""
    try:
        with pa.memory_map(str(path)) as source:
            return EncodedPart.of(pa.ipc.open_file(source).get_batch(0))
    except (OSError, KeyError, AttributeError, pa.ArrowException) as error:
        do = "delete its folder and start again: its rows are encoded anew"
        raise UserError("damaged encoded rows", where=str(path), found=error, do=do) from None


def _offsets(counts: Sequence[int]) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int32))
