"""The requests of a benchmark: one seeded choice of records, the same for every model."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from typing import Any

Row = Mapping[str, Any]


def choose(available: int, count: int, seed: int) -> list[int]:
    """Positions of `count` records out of `available`, drawn evenly so that the length mix stays that of the records.

    Where fewer records exist, all of them come in one shuffled order that starts again.

    Raises: ValueError when there are no records.
    """
    if available < 1:
        raise ValueError("no records to make requests from")
    drawn = random.Random(seed).sample(range(available), min(available, count))
    return list(islice(cycle(drawn), count))


def choose_positions(rows_by_view: Mapping[str, Sequence[Row]], count: int, seed: int) -> list[int]:
    """Positions of the requests among the records, which are the same ones in the same order in each view.

    Raises: ValueError when the views do not hold the same number of records, or none.
    """
    sizes = {view: len(rows) for view, rows in rows_by_view.items()}
    if len(set(sizes.values())) != 1:
        raise ValueError(f"every view needs the rows of the same records: {sizes}")
    return choose(min(sizes.values()), count, seed)


def groups(rows: Sequence[Row], batch: int) -> list[Sequence[Row]]:
    """`rows` in full groups of `batch` in arrival order, the rest left out; where there are fewer, they come again."""
    full = [rows[start : start + batch] for start in range(0, len(rows) - batch + 1, batch)]
    return full or [list(islice(cycle(rows), batch))]
