"""Things to time in rounds: each is asked a few times in turn, so that what disturbs the machine meets all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import NS_PER_MS, Clock
from distill.core.files import Json

_PAUSE_SECONDS = 0.004  # threads of the one before stop spinning


class Rounds(NamedTuple):
    """How often: rounds, and in each of them requests off the clock and on it."""

    rounds: int = 40
    unmeasured: int = 2
    measured: int = 5


def interleaved(
    subjects: Mapping[str, Callable[[], object]], how: Rounds, clock: Clock = time.perf_counter_ns
) -> dict[str, NDArray[np.float64]]:
    """The median milliseconds of a subject's requests in each round, (R,) by name."""
    times = {name: np.zeros(how.rounds) for name in subjects}
    for number in range(how.rounds):
        for name, ask in subjects.items():
            time.sleep(_PAUSE_SECONDS)
            for _ in range(how.unmeasured):
                ask()
            samples = []
            for _ in range(how.measured):
                start = clock()
                ask()
                samples.append((clock() - start) / NS_PER_MS)
            times[name][number] = np.median(samples)
    return times


def ratio(base: NDArray[np.float64], other: NDArray[np.float64]) -> Json:
    """How many times as fast `other` is: the median over rounds of their ratios, with its 95% interval.

    The interval is the distribution-free one of a median, between order statistics of the rounds n/2 ± 1.96·√n/2.
    """
    found = np.sort(base / other)
    middle, reach = len(found) / 2, 1.96 * sqrt(len(found)) / 2
    low, high = max(0, int(middle - reach)), min(len(found) - 1, int(np.ceil(middle + reach)))
    return {"value": float(np.median(found)), "low": float(found[low]), "high": float(found[high])}
