"""The timing core: requests in, durations out, with the clock as an argument."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

import numpy as np

Clock = Callable[[], int]
RequestT = TypeVar("RequestT")
PreparedT = TypeVar("PreparedT")

NS_PER_MS = 1e6
NS_PER_S = 1e9
_LEAST_WARM = 3


@dataclass(frozen=True)
class Timing:
    """One answered request: nanoseconds from its arrival to its answer, and the part of them spent on tokenising."""

    total_ns: int
    tokenise_ns: int


def time_one(
    request: RequestT, prepare: Callable[[RequestT], PreparedT], answer: Callable[[PreparedT], object], clock: Clock
) -> Timing:
    """Answer a request and time it from raw record to label.

    Whoever calls it in a loop closes the loop: a request arrives when the one before is answered, so these are service
    times without queueing.

    Args: prepare: records to what the model reads. answer: that to labels. clock: nanoseconds, never going back.
    """
    arrived = clock()
    prepared = prepare(request)
    tokenised = clock()
    answer(prepared)
    return Timing(clock() - arrived, tokenised - arrived)


def warmed_up(ask: Callable[[int], Timing], count: int, seconds: float | None) -> list[Timing]:
    """Requests before the clock counts; of a slow model fewer than were asked for, but a few."""
    found: list[Timing] = []
    while len(found) < count:
        spent = sum(timing.total_ns for timing in found) / NS_PER_S
        if seconds is not None and spent > seconds and len(found) >= _LEAST_WARM:
            break
        found.append(ask(len(found)))
    return found


def affordable(count: int, seconds: float | None, timings: Sequence[Timing]) -> int:
    """Of so many requests, those that there is time to answer, by what others took. Args: seconds: None: no limit."""
    if seconds is None or not timings:
        return count
    usual = max(1.0, median(timing.total_ns for timing in timings))
    return max(1, min(count, int(seconds * NS_PER_S / usual)))


def percentile_ms(samples_ns: Sequence[int], q: int) -> float:
    """Percentile `q` of nanoseconds, in milliseconds, interpolated between neighbours."""
    return float(np.percentile(np.asarray(samples_ns, np.float64), q)) / NS_PER_MS


def tail_ms(samples_ns: Sequence[int], q: int, beyond: int) -> float | None:
    """Percentile `q` in milliseconds, or None when fewer than `beyond` samples are above it."""
    return percentile_ms(samples_ns, q) if len(samples_ns) * (100 - q) >= 100 * beyond else None
