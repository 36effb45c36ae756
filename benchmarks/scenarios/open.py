"""Open loop: requests arrive whether or not the ones before are answered; latency counts from when they were due."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, median
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.intervals import spread
from benchmarks.queueing import Answered, arrivals, highest_rate, serve, simulate
from benchmarks.scenario import Scenario, Served
from benchmarks.timing import NS_PER_S, affordable
from distill.core.files import Json
from distill.inference.scorer import Scorer

LOADS = (0.5, 0.7)
HIGHEST = "highest rate under the bound"
_BOUND = 5.0
"""Times the mean service time: the bound on p99 where none is given."""
_MEAN_LOAD, _ALONE = 0.6, 0.25


class Loaded(NamedTuple):
    """What answers at one rate took, and the latencies of a queue with their service times and with those alone."""

    found: Answered
    simulated: NDArray[np.float64]
    alone: NDArray[np.float64]


class Open(Scenario):
    """Poisson arrivals at half and 70% of the capacity, and the highest rate that keeps p99 under a bound.

    `bench.sessions` sessions share the threads. p99 is compared with that of two simulated queues, M/D/c, with the same
    arrivals: with the service times of these very answers, which tells whether requests wait for others alone, and with
    those that the same requests had one after another, which tells what answering at random times costs besides. A
    model too slow for the arrivals within its seconds has no cells.
    """

    name: ClassVar[str] = "open"

    def measure(self, served: Served) -> list[Json]:
        """A cell for each load, then one for the highest rate."""
        fits, config, sessions = served.limit(), served.config, min(served.config.sessions, served.threads)
        scorers = [served.open(served.threads // sessions) for _ in range(sessions)]
        services = _services(served, scorers[0])
        positions = [number % len(services) for number in range(config.arrivals)]
        alone, capacity = [services[position] for position in positions], sessions / fmean(services)
        servers = [_asking(served, scorer, positions) for scorer in scorers]

        def may() -> bool:
            """Whether another rate fits into the seconds of the process."""
            return fits(config.arrivals / (_MEAN_LOAD * capacity))

        def answered(rate: float) -> Loaded:
            due = arrivals(rate, config.arrivals, config.seed)
            found = serve(due, servers, served.clock, served.sleep)
            return Loaded(found, *(simulate(due, services, sessions) for services in (found.services, alone)))

        cells = [_load(load, capacity, answered(load * capacity)) for load in LOADS if may()]
        if may():
            bound = (config.p99_ms or 1000 * _BOUND * fmean(services)) / 1000
            rate = highest_rate(lambda one: _p99(answered(one).found.latencies), bound, capacity, may)
            cells.append({"kind": HIGHEST, "bound_ms": 1000 * bound, "rate_per_s": rate, "capacity_per_s": capacity})
        return cells

    def entry(self, kind: str, cells: Sequence[Mapping[str, Any]]) -> Json:
        """Medians over processes, and of positive ones their intervals."""
        keys = [key for key in cells[0] if key != "kind"]
        known = {key: [float(cell[key]) for cell in cells] for key in keys}
        return {key: spread(found) if min(found) > 0 else {"value": median(found)} for key, found in known.items()}


def _services(served: Served, scorer: Scorer) -> list[float]:
    """Seconds that each request takes alone; of a model too slow for a quarter of the seconds, each of the first."""
    count = affordable(len(served.rows), served.share(_ALONE), served.warmed_up(scorer))
    return [served.alone(scorer, position).total_ns / NS_PER_S for position in range(count)]


def _asking(served: Served, scorer: Scorer, positions: Sequence[int]) -> Callable[[int], object]:
    return lambda number: scorer.answer(scorer.prepare([served.rows[positions[number]]]))


def _load(load: float, capacity: float, answered: Loaded) -> Json:
    found, simulated, alone = answered
    p99, expected = _p99(found.latencies), _p99(simulated)
    return {
        "kind": f"{load:.0%} load",
        "rate_per_s": load * capacity,
        "p50_ms": 1000 * float(np.percentile(found.latencies, 50)),
        "p99_ms": 1000 * p99,
        "simulated_p99_ms": 1000 * expected,
        "over_simulated": p99 / expected,
        "over_alone": p99 / _p99(alone),
    }


def _p99(latencies: Any) -> float:
    return float(np.percentile(latencies, 99))
