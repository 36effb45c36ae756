"""Throughput: how many records a second, by how sessions, threads and batches are laid out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from benchmarks.intervals import spread
from benchmarks.layouts import BATCHES, LAYOUTS, ONE, Sessions, rates
from benchmarks.scenario import Scenario, Served
from benchmarks.timing import affordable
from distill.core.files import Json

_BULK = 0.5  # of the seconds, for the layouts; their largest batches are answered once more before


class Offline(Scenario):
    """All requests as fast as they go, tokenisation included. `ratio`: to one session with one record at a time."""

    name: ClassVar[str] = "offline"

    def measure(self, served: Served) -> list[Json]:
        """A cell for each layout, all of the same budget of threads; of a slow model over the first requests alone."""
        sessions = Sessions(served.open(served.threads), served.apart(), served.config.throughput_batch)
        kinds = len(LAYOUTS) if sessions.apart else len((ONE, BATCHES))
        bulk = served.share(_BULK / kinds)
        rows = served.rows[: affordable(len(served.rows), bulk, served.warmed_up(sessions.whole))]
        found = rates(sessions, rows, served.clock)
        return [{"kind": kind, "per_s": rate, "ratio": rate / found[ONE]} for kind, rate in found.items()]

    def entry(self, kind: str, cells: Sequence[Mapping[str, Any]]) -> Json:
        """Rate and ratio with their intervals over processes."""
        return {key: spread([cell[key] for cell in cells]) for key in ("per_s", "ratio")}
