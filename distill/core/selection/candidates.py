"""The labelled rows of a pool as columns: a million rows are arrays of numbers, none a Python object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from distill.core.intake.hashing import unit
from distill.core.objectives.objective import BoolArray, FloatArray

_BLOCK_ROWS = 65_536


@dataclass(frozen=True)
class Named:
    """A name for each of N rows. Attributes: names: that there are. codes: places in `names`, int32 (N,)."""

    names: Sequence[str]
    codes: NDArray[np.int32]

    @classmethod
    def of(cls, column: pa.ChunkedArray | Sequence[str | None]) -> Named:
        """The names of a column of strings; null is ''."""
        given = column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([pa.array(column, pa.string())])
        coded = pc.fill_null(given, "").combine_chunks().dictionary_encode()
        return cls(coded.dictionary.to_pylist(), coded.indices.to_numpy(zero_copy_only=False).astype(np.int32))

    @classmethod
    def same(cls, name: str, rows: int) -> Named:
        """One name for all rows."""
        return cls([name], np.zeros(rows, np.int32))

    @classmethod
    def joined(cls, parts: Sequence[Named]) -> Named:
        """The rows of several parts, end to end."""
        places: dict[str, int] = {}
        codes = [np.zeros(0, np.int32)]
        for part in parts:
            own = np.array([places.setdefault(name, len(places)) for name in part.names], np.int32)
            codes.append(own[part.codes] if len(own) else part.codes)
        return cls(list(places), np.concatenate(codes))

    def rows(self, places: NDArray[np.int64]) -> Named:
        """Some of the rows, and the names that these have."""
        kept, codes = np.unique(self.codes[places], return_inverse=True)
        return Named([self.names[code] for code in kept.tolist()], codes.astype(np.int32))

    def counts(self, among: BoolArray) -> NDArray[np.int64]:
        """How many rows have each name. Args: among: bool (N,), the rows that count."""
        return np.bincount(self.codes[among], minlength=len(self.names))

    @property
    def given(self) -> BoolArray:
        """Which rows have another name than ''."""
        named = np.array([bool(name) for name in self.names], np.bool_)
        return named[self.codes] if len(named) else np.zeros(len(self.codes), np.bool_)


@dataclass(frozen=True)
class Candidates:
    """N labelled rows of the pool.

    Attributes: ids: string (N,). sources. classes: what the teacher answers. slices: '' without one. keys: by key path,
        '' without a value. entropy: float64 (N,), shares of the largest one.
    """

    ids: pa.Array
    sources: Named
    classes: Named
    slices: Named
    keys: Mapping[str, Named]
    entropy: FloatArray

    def __len__(self) -> int:
        """N."""
        return len(self.ids)


def seeded_order(seed: int, purpose: str, ids: pa.Array) -> NDArray[np.int64]:
    """The places of N ids by a seeded hash of each, int64 (N,): whatever order they come in, rows come out in one.

    Args: purpose: the same ids have another order for another one. ids: string (N,), each once.
    """
    units = np.empty(len(ids), np.float64)
    for start in range(0, len(ids), _BLOCK_ROWS):
        block = ids.slice(start, _BLOCK_ROWS).to_pylist()
        units[start : start + len(block)] = [unit(seed, purpose, name) for name in block]
    order = np.argsort(units, kind="stable")
    units = units[order]
    for start in np.flatnonzero(np.diff(units) == 0).tolist():  # one pair of ids in 10¹⁶ has the same number
        alike = slice(start, int(np.searchsorted(units, units[start], side="right")))
        order[alike] = sorted(order[alike].tolist(), key=lambda place: str(ids[place]))
    return order
