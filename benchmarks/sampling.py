"""Which subject is measured next, and when that is enough: fresh processes until every ratio is known well enough.

Every subject first gets the least number of processes, in rounds A B C, A B C, so that drift of the machine meets all
alike. Then each next process goes to the subject with which the variance of ratios that are still too wide falls most
for each second that it takes, so slow subjects are measured least. Sampling ends when every ratio is narrow enough, or
with the time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.intervals import Centre, ratio

Process = Mapping[str, Any]
"""What one process measured; see `benchmarks.latency_worker.measure`."""
Pair = tuple[str, str]
"""A ratio: the p50 of the first over that of the second."""

BUSY = 0.5
"""Share of disturbed requests from which on a process is measured again."""
_UNTIMED = 1.0


@dataclass(frozen=True)
class Limits:
    """When sampling ends.

    Attributes: processes: of each subject, at least, where the time allows. seconds: in all; 0: after these processes,
        however long they take. within: half the width of a ratio's interval, as a share of the ratio.
    """

    processes: int
    seconds: float
    within: float


@dataclass
class Taken:
    """The processes of each subject, in the order in which they ran, and the seconds that each took."""

    processes: dict[str, list[Process]]
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def kept(self, name: str, least: int) -> list[Process]:
        """Those that count: all but the busy ones, and the least disturbed of these up to `least`."""
        found = self.processes[name]
        quiet = [one for one in found if disturbed(one) <= BUSY]
        busy = sorted((one for one in found if disturbed(one) > BUSY), key=disturbed)
        taken = [*quiet, *busy[: max(0, least - len(quiet))]]
        return [one for one in found if any(one is other for other in taken)]

    def cost(self, name: str) -> float:
        """Seconds of a process."""
        spent = self.seconds.get(name)
        return sum(spent) / len(spent) if spent else _UNTIMED


@dataclass(frozen=True)
class Sampler:
    """Runs processes of subjects.

    Args: run: one process of a subject. centres: p50 and variance of each subject from the processes that count.
        pairs: the ratios that are wanted, from the same. clock: seconds. on_start: told the number of processes so far
        and the next subject's name.
    """

    run: Callable[[str], Process]
    centres: Callable[[Mapping[str, Sequence[Process]]], Mapping[str, Centre]]
    pairs: Callable[[Mapping[str, Centre]], Sequence[Pair]]
    clock: Callable[[], float]
    on_start: Callable[[int, str], None] = lambda done, name: None

    def sample(self, names: Sequence[str], limits: Limits) -> dict[str, list[Process]]:
        """The processes that count, by subject."""
        taken, started = Taken({name: [] for name in names}), self.clock()

        def may(name: str) -> bool:
            """Whether there is time for a process of it; for the first one there always is."""
            if not taken.processes[name]:
                return True
            return not limits.seconds or self.clock() - started + taken.cost(name) <= limits.seconds

        for _ in range(limits.processes):
            for name in names:
                if may(name):
                    self._take(taken, name)
        if limits.seconds:
            self._go_on(taken, limits, may)
        return {name: taken.kept(name, limits.processes) for name in names}

    def _go_on(self, taken: Taken, limits: Limits, may: Callable[[str], bool]) -> None:
        while True:
            centres = self.centres({name: taken.kept(name, limits.processes) for name in taken.processes})
            wide = self._wide(centres, limits.within)
            again = [name for name in taken.processes if _unquiet(taken, name, limits.processes) and may(name)]
            wanted = again or [name for name in _by_gain(centres, wide, taken) if may(name)]
            if not wanted:
                return
            self._take(taken, wanted[0])

    def _wide(self, centres: Mapping[str, Centre], within: float) -> list[Pair]:
        found = []
        for above, below in self.pairs(centres):
            interval = ratio(centres[above], centres[below])
            if above != below and (interval is None or interval.width > within):
                found.append((above, below))
        return found

    def _take(self, taken: Taken, name: str) -> None:
        self.on_start(sum(map(len, taken.processes.values())), name)
        begun = self.clock()
        taken.processes[name].append(self.run(name))
        taken.seconds.setdefault(name, []).append(self.clock() - begun)


def disturbed(process: Process) -> float:
    """The share of a process's requests that were disturbed each time that they were measured."""
    return float(process.get("disturbed", 0.0))


def _unquiet(taken: Taken, name: str, least: int) -> bool:
    """Whether it counts busy processes and has been tried less than twice as often as was asked."""
    busy = any(disturbed(one) > BUSY for one in taken.kept(name, least))
    return busy and len(taken.processes[name]) < 2 * least


def _by_gain(centres: Mapping[str, Centre], pairs: Sequence[Pair], taken: Taken) -> list[str]:
    """The subjects of these ratios, the one first whose next process narrows them most for each second of it."""
    gain: dict[str, float] = {}
    for pair in pairs:
        for name in pair if pair[0] != pair[1] else ():
            one = centres[name]
            less = math.inf if one.processes == 1 else one.variance / (one.processes + 1)
            gain[name] = gain.get(name, 0.0) + less / taken.cost(name)
    return sorted(gain, key=lambda name: -gain[name])
