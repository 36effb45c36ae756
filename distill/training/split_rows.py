"""The rows of several splits end to end, by their ids, for what is said of some of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from distill.core.record_store import read_columns

_LISTED = 5


@dataclass(frozen=True)
class SplitRows:
    """M rows of some splits. Attributes: names: of the splits. starts: of each, int64 (splits + 1,). ids: (M,)."""

    names: Sequence[str]
    starts: NDArray[np.int64]
    ids: pa.ChunkedArray

    @classmethod
    def read(cls, records: Path, names: Sequence[str]) -> SplitRows:
        """The rows of these splits. Raises: as `read_records`."""
        return cls.of(names, [read_columns(records, name, ["id"]) for name in names])

    @classmethod
    def of(cls, names: Sequence[str], columns: Sequence[pa.Table]) -> SplitRows:
        """The rows of tables with the column `id`, one for each split."""
        ids = pa.chunked_array([chunk for one in columns for chunk in one["id"].chunks], pa.string())
        return cls(names, np.array([0, *accumulate(len(one) for one in columns)], np.int64), ids)

    def counted(self, among: NDArray[np.bool_]) -> str:
        """How many rows of each split: `train 87 of 90, pool.urls 40 of 40`. Args: among: bool (M,)."""
        spans = zip(self.names, pairwise(self.starts.tolist()), strict=True)
        return ", ".join(f"{name} {int(among[a:b].sum())} of {b - a}" for name, (a, b) in spans if b > a)

    def without_logits(self, missing: NDArray[np.bool_]) -> str:
        """What is said of rows without a label: how many, of which splits, and the first ids. Args: missing: (M,)."""
        first = ", ".join(self.ids.take(pa.array(missing.nonzero()[0][:_LISTED])).to_pylist())
        return f"{missing.sum()} of {len(missing)} rows without logits ({self.counted(missing)}), first: {first}"
