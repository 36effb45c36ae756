"""Open loop: requests arrive whether or not the ones before are answered; latency counts from when they were due."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, median
from typing import Any, ClassVar

import numpy as np

from benchmarks.intervals import spread
from benchmarks.queueing import arrivals, highest_rate, serve, simulate
from benchmarks.scenario import Scenario, Served
from benchmarks.timing import NS_PER_S, time_one
from distill.core.files import Json
from distill.inference.scorer import Scorer

LOADS = (0.5, 0.7)
HIGHEST = "highest rate under the bound"
_BOUND = 5.0
"""Times the mean service time: the bound on p99 where none is given."""
_MEAN_LOAD = 0.6


class Open(Scenario):
    """Poisson arrivals at half and 70% of the capacity, and the highest rate that keeps p99 under a bound.

    `bench.sessions` sessions share the threads. Beside p99 stands that of a simulated queue, M/D/c, with the same
    arrivals and the service times that the same requests had alone: the ratio tells whether the process queues as it
    should. A model too slow for the arrivals within its seconds has no cells.
    """

    name: ClassVar[str] = "open"

    def measure(self, served: Served) -> list[Json]:
        """A cell for each load, then one for the highest rate."""
        config, sessions = served.config, min(served.config.sessions, served.threads)
        scorers = [served.open(served.threads // sessions) for _ in range(sessions)]
        begun, positions = served.clock(), [number % len(served.rows) for number in range(config.arrivals)]
        services = _services(served, scorers[0])
        alone, capacity = [services[position] for position in positions], sessions / fmean(services)
        servers = [_asking(served, scorer, positions) for scorer in scorers]

        def may() -> bool:
            """Whether another rate fits into the seconds of the process."""
            spent = (served.clock() - begun) / NS_PER_S
            return served.seconds is None or spent + config.arrivals / (_MEAN_LOAD * capacity) <= served.seconds

        def latencies(rate: float) -> Any:
            due = arrivals(rate, config.arrivals, config.seed)
            return serve(due, servers, served.clock, served.sleep), simulate(due, alone, sessions)

        cells = [_load(load, capacity, *latencies(load * capacity)) for load in LOADS if may()]
        if may():
            bound = (config.p99_ms or 1000 * _BOUND * fmean(services)) / 1000
            rate = highest_rate(lambda one: _p99(latencies(one)[0]), bound, capacity, may)
            cells.append({"kind": HIGHEST, "bound_ms": 1000 * bound, "rate_per_s": rate, "capacity_per_s": capacity})
        return cells

    def entry(self, kind: str, cells: Sequence[Mapping[str, Any]]) -> Json:
        """Medians over processes, and of positive ones their intervals."""
        keys = [key for key in cells[0] if key != "kind"]
        known = {key: [float(cell[key]) for cell in cells] for key in keys}
        return {key: spread(found) if min(found) > 0 else {"value": median(found)} for key, found in known.items()}


def _services(served: Served, scorer: Scorer) -> list[float]:
    """Seconds that each request takes alone."""
    for row in served.rows[: served.config.warmup]:
        scorer.answer(scorer.prepare([row]))
    timed = [time_one([row], scorer.prepare, scorer.answer, served.clock) for row in served.rows]
    return [one.total_ns / NS_PER_S for one in timed]


def _asking(served: Served, scorer: Scorer, positions: Sequence[int]) -> Callable[[int], object]:
    return lambda number: scorer.answer(scorer.prepare([served.rows[positions[number]]]))


def _load(load: float, capacity: float, found: Any, simulated: Any) -> Json:
    p99, expected = _p99(found), _p99(simulated)
    return {
        "kind": f"{load:.0%} load",
        "rate_per_s": load * capacity,
        "p50_ms": 1000 * float(np.percentile(found, 50)),
        "p99_ms": 1000 * p99,
        "simulated_p99_ms": 1000 * expected,
        "over_simulated": p99 / expected,
    }


def _p99(latencies: Any) -> float:
    return float(np.percentile(latencies, 99))
