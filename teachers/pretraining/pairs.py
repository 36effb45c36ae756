"""The texts that an encoder is pre-trained on: pairs of sides, some with the right side of another pair."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.core.config import parse
from distill.core.files import read_json, replacing, write_json
from distill.core.project import ViewConfig

Rows = NDArray[np.int64]
_PAIRS, _VIEWS = "pairs.parquet", "views.json"
_BATCH_ROWS = 2000


@dataclass(frozen=True, slots=True)
class Pair:
    """One row: the fields of both sides, in the order of its source's view; `right` is empty for single texts."""

    source: str
    category: str
    left: tuple[str, ...]
    right: tuple[str, ...]


class Pairs:
    """Pairs in memory, with what is needed to swap their right sides.

    Args: pairs: in the order of their row numbers.
    Attributes: chars: characters of the (left, right) sides, int64 (N, 2). paired: whether a row has a right side.
    """

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self.pairs = pairs
        self.chars = np.array([[_chars(p.left), _chars(p.right)] for p in pairs], np.int64).reshape(-1, 2)
        self.paired = np.array([bool(p.right) for p in pairs], bool)
        self._left = _numbered(p.left for p in pairs)
        self._right = _numbered(p.right for p in pairs)
        self._groups = _grouped(_numbered((p.source, p.category) for p in pairs))

    def __len__(self) -> int:
        """Rows."""
        return len(self.pairs)

    def partners(self, share: float, random: np.random.Generator) -> Rows:
        """The row whose right side each row gets: int64 (N,), its own number where nothing is swapped.

        A partner is drawn from the rows of the same source and category, for about `share` of the rows that have a
        right side. It has another left and another right side; a row that draws its own texts keeps them.
        """
        drawn = np.arange(len(self))
        for rows in self._groups:
            drawn[rows] = random.choice(rows, len(rows))
        other = (self._left[drawn] != self._left) & (self._right[drawn] != self._right)
        swapped = other & self.paired & (random.random(len(self)) < share)
        return np.where(swapped, drawn, np.arange(len(self)))


def write_pairs(folder: Path, pairs: Iterable[Pair], views: dict[str, ViewConfig]) -> int:
    """Write pairs and the view of each source into `folder`; returns the number of rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = pa.list_(pa.string())
    schema = pa.schema([("source", pa.string()), ("category", pa.string()), ("left", texts), ("right", texts)])
    count = 0
    with replacing(folder / _PAIRS) as partial, pq.ParquetWriter(partial, schema, compression="zstd") as writer:
        for batch in _batches(pairs):
            columns = {name: [getattr(pair, name) for pair in batch] for name in schema.names}
            writer.write_table(pa.table(columns, schema=schema))
            count += len(batch)
    write_json(folder / _VIEWS, {name: view.as_json() for name, view in views.items()})
    return count


def read_pairs(folder: Path) -> list[Pair]:
    """All pairs of a folder, in the order they were written."""
    import pyarrow.parquet as pq

    found: list[Pair] = []
    with pq.ParquetFile(folder / _PAIRS) as file:
        for batch in file.iter_batches(_BATCH_ROWS):
            rows = zip(*(batch.column(name).to_pylist() for name in batch.schema.names), strict=True)
            found += [Pair(source, category, tuple(left), tuple(right)) for source, category, left, right in rows]
    return found


def read_views(folder: Path) -> dict[str, ViewConfig]:
    """The view of each source, by its name."""
    return {name: parse(ViewConfig, view, str(folder / _VIEWS)) for name, view in read_json(folder / _VIEWS).items()}


def texts_of(pairs: Iterable[Pair]) -> Iterable[str]:
    """Every non-empty text of the pairs."""
    return (text for pair in pairs for text in (*pair.left, *pair.right) if text)


def _batches(pairs: Iterable[Pair]) -> Iterable[list[Pair]]:
    batch: list[Pair] = []
    for pair in pairs:
        batch.append(pair)
        if len(batch) == _BATCH_ROWS:
            yield batch
            batch = []
    if batch:
        yield batch


def _chars(side: tuple[str, ...]) -> int:
    return sum(map(len, side))


def _numbered(values: Iterable[tuple[str, ...]]) -> Rows:
    """Equal values as equal numbers, int64 (N,)."""
    numbers: dict[tuple[str, ...], int] = {}
    return np.array([numbers.setdefault(value, len(numbers)) for value in values], np.int64)


def _grouped(numbers: Rows) -> list[Rows]:
    """The rows of each number."""
    order = np.argsort(numbers, kind="stable")
    return [rows for rows in np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1) if len(rows)]
