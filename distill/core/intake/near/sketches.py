"""The shingle sets and the band keys of any number of rows, in files that are gone with the object.

In memory are the texts of one batch. On disk a row takes 8 bytes for each of its shingles, 8 more, and 9 to 16 for each
of its keys: about 500 bytes for 30 words at a threshold of 0.8.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from distill.core.intake.near.bands import Bands
from distill.core.intake.near.shingles import ShingleSets, shingle_sets
from distill.core.tables import room_on_disk

if TYPE_CHECKING:
    import pyarrow.parquet as pq

_BATCH_ROWS, _BATCH_CHARS = 4096, 1 << 23


class Sketches:
    """Takes in rows one at a time, each under the next number from 0 on.

    Args: jaccard: the threshold that the keys are made for. words: of a shingle.
    Attributes: rows: how many were added. key_files: Parquet files of (key, row), one for each `close_file`.
    """

    def __init__(self, jaccard: float, words: int) -> None:
        self._bands, self._words = Bands.of(jaccard), words
        self._place = tempfile.TemporaryDirectory(prefix="near-")
        self._texts: list[tuple[str, str]] = []
        self._chars = self.rows = self._shingles = 0
        self._sets, self._ends = (self.folder / "sets").open("wb"), (self.folder / "ends").open("wb")
        self._keys: pq.ParquetWriter | None = None
        self.key_files: list[Path] = []

    @property
    def folder(self) -> Path:
        """The folder of the files."""
        return Path(self._place.name)

    def add(self, left: str, right: str) -> None:
        """Take in one row: its sides, in the form in which texts are compared."""
        self._texts.append((left, right))
        self._chars += len(left) + len(right)
        self.rows += 1
        if len(self._texts) == _BATCH_ROWS or self._chars > _BATCH_CHARS:
            self._write_out()

    def close_file(self) -> None:
        """End the file of keys, so that it and the sets can be read; the next row begins another one."""
        if self._texts:
            self._write_out()
        with room_on_disk(self.folder):
            if self._keys is not None:
                self._keys.close()
                self._keys = None
            self._sets.flush()
            self._ends.flush()

    def sets(self) -> SetReader:
        """The sets of all rows up to the last `close_file`."""
        return SetReader(_mapped(self.folder / "sets", np.uint64), _mapped(self.folder / "ends", np.uint64))

    def _write_out(self) -> None:
        with room_on_disk(self.folder):
            self._write(shingle_sets(self._texts, self._words))
        self._texts, self._chars = [], 0

    def _write(self, sets: ShingleSets) -> None:
        sets.hashes.tofile(self._sets)
        (self._shingles + np.cumsum(sets.sizes)).astype(np.uint64).tofile(self._ends)
        self._shingles += len(sets.hashes)
        self._write_keys(sets, self.rows - len(self._texts))

    def _write_keys(self, sets: ShingleSets, first: int) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        filled = np.flatnonzero(sets.sizes)  # rows without any text are like no other
        keys = self._bands.keys(sets)[filled]
        rows = np.repeat(first + filled, keys.shape[1]).astype(np.uint64)
        table = pa.table({"key": keys.ravel(), "row": rows})
        if self._keys is None:
            self.key_files.append(self.folder / f"keys-{len(self.key_files)}.parquet")
            plain = {"key": "PLAIN", "row": "DELTA_BINARY_PACKED"}
            options = {"compression": "none", "use_dictionary": False, "column_encoding": plain}
            self._keys = pq.ParquetWriter(self.key_files[-1], table.schema, **options)
        self._keys.write_table(table)


class SetReader:
    """The shingle sets of rows by their number, read from disk as they are asked for."""

    def __init__(self, hashes: NDArray[np.uint64], ends: NDArray[np.uint64]) -> None:
        self._hashes, self._ends = hashes, ends

    def of(self, row: int) -> set[int]:
        """The set of a row."""
        start = int(self._ends[row - 1]) if row else 0
        return set(self._hashes[start : int(self._ends[row])].tolist())


def _mapped(path: Path, kind: type[np.uint64]) -> NDArray[np.uint64]:
    """A file of numbers as an array that stays on disk; empty files cannot be mapped."""
    return np.asarray(np.memmap(path, kind, "r")) if path.stat().st_size else np.empty(0, kind)
