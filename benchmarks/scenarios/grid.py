"""Batch × length: what one request of so many records of such a length takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from statistics import median
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.intervals import spread
from benchmarks.requests import Row
from benchmarks.scenario import Scenario, Served
from benchmarks.timing import NS_PER_MS, NS_PER_S, time_one
from distill.core.files import Json

_ASKED = 12
_UNLIKE = 0.25
"""How far the median length of a cell's records may be from the length that was asked for."""


class Grid(Scenario):
    """Records of the requests that are nearest in length; a length that they do not have is left out."""

    name: ClassVar[str] = "grid"

    def measure(self, served: Served) -> list[Json]:
        """A cell for each batch size and length: p50 of a request, and records a second.

        None is begun that does not fit into the seconds, by what the largest one before it took for each token.
        """
        may, config = served.limit(), served.config
        scorer = served.open(served.threads)
        lengths = np.array([item.read_tokens for item in scorer.prepare(served.rows)])
        cells, largest = list[Json](), (1.0, 0.0)
        for tokens, batch in product(config.grid_tokens, config.grid_batch):
            positions = nearest(lengths, tokens, batch)
            found, size = float(np.median(lengths[positions])), float(lengths[positions].sum())
            if abs(found - tokens) > _UNLIKE * tokens:
                continue
            kind = {"kind": f"{batch} × {tokens}"}
            if not may(largest[1] * size / largest[0]):
                cells.append({**kind, "left_out": f"no time in {served.seconds:.0f} s"})
                continue
            begun = served.clock()
            cell = _cell(served, scorer, [served.rows[position] for position in positions])
            largest = max(largest, (size, (served.clock() - begun) / NS_PER_S))
            cells.append({**cell, "batch": batch, "tokens": found, **kind})
        return cells

    def entry(self, kind: str, cells: Sequence[Mapping[str, Any]]) -> Json:
        """p50 with its interval over processes."""
        first = cells[0]
        p50 = spread([cell["p50_ms"] for cell in cells])
        return {
            "batch": first["batch"],
            "tokens": first["tokens"],
            "p50_ms": p50,
            "per_s": 1000 * first["batch"] / p50["value"],
        }


def nearest(lengths: NDArray[np.int64], tokens: int, batch: int) -> NDArray[np.int64]:
    """Positions of `batch` records whose lengths are nearest to `tokens`; where there are fewer, they come again."""
    order = np.argsort(np.abs(lengths - tokens), kind="stable")
    return np.resize(order[:batch], batch)


def _cell(served: Served, scorer: Any, rows: Sequence[Row]) -> Json:
    def ask() -> int:
        return time_one(rows, scorer.prepare, scorer.answer, served.clock).total_ns

    for _ in range(2):
        ask()
    return {"p50_ms": median(ask() for _ in range(_ASKED)) / NS_PER_MS}
