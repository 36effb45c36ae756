"""Requests that arrive when they like: Poisson arrivals, what a queue of them does, the highest rate under a bound."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import NS_PER_S, Clock

Times = Sequence[float] | NDArray[np.float64]
_STEPS = 6


class Answered(NamedTuple):
    """Seconds of each request, both (N,): from when it was due to its answer, and from when it was begun."""

    latencies: NDArray[np.float64]
    services: NDArray[np.float64]


def arrivals(rate: float, count: int, seed: int) -> NDArray[np.float64]:
    """Seconds at which `count` requests are due, (count,), ascending: gaps are exponential with mean 1 / rate."""
    return np.random.default_rng(seed).exponential(1 / rate, count).cumsum()


def serve(
    due: Times,
    servers: Sequence[Callable[[int], object]],
    clock: Clock,
    sleep: Callable[[float], None],
) -> Answered:
    """How long each request took from when it was due: waiting counts, also where the one before was late.

    Requests are answered in their order by whichever server is free, each in a thread of its own.

    Args: due: seconds from now, ascending. servers: each answers the request at a position.
    Source: Tene 2013, "How not to measure latency" (coordinated omission: a loop that waits for its answer does not see
        what it has delayed).
    """
    lock, found = threading.Lock(), Answered(np.zeros(len(due)), np.zeros(len(due)))
    started, waiting = clock(), iter(range(len(due)))

    def now() -> float:
        return (clock() - started) / NS_PER_S

    def work(answer: Callable[[int], object]) -> None:
        while True:
            with lock:
                position = next(waiting, None)
            if position is None:
                return
            early = due[position] - now()
            if early > 0:
                sleep(early)
            begun = now()
            answer(position)
            ended = now()
            found.latencies[position], found.services[position] = ended - due[position], ended - begun

    if len(servers) == 1:
        work(servers[0])
        return found
    threads = [threading.Thread(target=work, args=(one,)) for one in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def simulate(due: Times, services: Times, servers: int) -> NDArray[np.float64]:
    """The latencies that `serve` would have if each request took its service time and nothing else happened, (N,).

    M/D/c with Poisson arrivals `due` and known services. Source: Lindley 1952, "The theory of queues with a single
    server" (a request begins at the later of its arrival and the end of the one before); Kiefer & Wolfowitz 1955 for
    several servers.
    """
    free, latencies = [0.0] * servers, []
    for arrived, service in zip(due, services, strict=True):
        done = max(arrived, heapq.heappop(free)) + service
        heapq.heappush(free, done)
        latencies.append(done - arrived)
    return np.asarray(latencies)


def highest_rate(p99_s: Callable[[float], float], bound_s: float, capacity: float, may: Callable[[], bool]) -> float:
    """The highest rate, of those measured, at which p99 stays within a bound: bisection between 0 and the capacity.

    Args: p99_s: measures a rate. capacity: at which the servers would never rest. may: whether there is time for
        another rate. Returns: 0.0 where no measured rate stayed within it.
    """
    low, high = 0.0, capacity
    for _ in range(_STEPS):
        if not may():
            break
        middle = (low + high) / 2
        low, high = (middle, high) if p99_s(middle) <= bound_s else (low, middle)
    return low
