"""What a scenario is: a way to ask one subject in a fresh process, and what its processes come to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from benchmarks import scenarios
from benchmarks.config import BenchConfig
from benchmarks.requests import Row
from benchmarks.timing import NS_PER_S, Clock, Timing, time_one, warmed_up
from distill.core.files import Json
from distill.core.siblings import sibling
from distill.inference.scorer import Scorer

_WARM = 0.1
"""Of a process's seconds: what warming up may take."""


@dataclass(frozen=True)
class Served:
    """A subject that can be opened, and what it may be asked.

    Attributes: open: opens it with so many threads. rows: the requests. threads: the whole budget. clock: nanoseconds.
        sleep: for so many seconds. seconds: of the process, about; None: as long as it takes. several: whether sessions
        beside each other have threads of their own; PyTorch's share one pool.
    """

    open: Callable[[int], Scorer]
    rows: Sequence[Row]
    threads: int
    config: BenchConfig
    clock: Clock
    sleep: Callable[[float], None]
    seconds: float | None = None
    several: bool = True

    def limit(self) -> Callable[[float], bool]:
        """What tells whether so many seconds more fit into those of the process, which begin now."""
        begun = self.clock()
        return lambda more: self.seconds is None or (self.clock() - begun) / NS_PER_S + more <= self.seconds

    def share(self, part: float) -> float | None:
        """A part of the process's seconds; None without a limit."""
        return None if self.seconds is None else part * self.seconds

    def alone(self, scorer: Scorer, position: int) -> Timing:
        """What one request takes by itself, the first one coming after the last."""
        return time_one([self.rows[position % len(self.rows)]], scorer.prepare, scorer.answer, self.clock)

    def warmed_up(self, scorer: Scorer) -> list[Timing]:
        """Requests before the clock counts, one at least."""
        return warmed_up(partial(self.alone, scorer), max(1, self.config.warmup), self.share(_WARM))

    def apart(self) -> list[Scorer]:
        """A session of one thread for each thread of the budget; none where they cannot be, or would be one."""
        return [self.open(1) for _ in range(self.threads)] if self.several and self.threads > 1 else []


class Scenario:
    """A way to ask a subject. Attributes: name: in `bench.scenarios`, and key of its entries in latency.json."""

    name: ClassVar[str]

    def measure(self, served: Served) -> list[Json]:
        """The cells that one process measures. Each has `kind`, a text that says which cell it is.

        One that there was no time for has `left_out` besides, and nothing else.
        """
        raise NotImplementedError

    def entry(self, kind: str, cells: Sequence[Mapping[str, Any]]) -> Json:
        """What the same cell of several processes comes to."""
        raise NotImplementedError


def scenario_named(name: str) -> Scenario:
    """The scenario of this name. Raises: UserError with the nearest one."""
    return sibling(scenarios, Scenario, name, "scenario", "bench.scenarios")()


def entries(scenario: Scenario, model: str, processes: Sequence[Sequence[Mapping[str, Any]]]) -> list[Json]:
    """The entries of a model, a cell each, in the order of its first process.

    Returns: `processes` of each: how many have measured it. Where none has, `left_out` says why.
    """
    kinds = dict.fromkeys(str(cell["kind"]) for cells in processes for cell in cells)
    found = []
    for kind in kinds:
        cells = [cell for own in processes for cell in own if cell["kind"] == kind]
        measured = [cell for cell in cells if "left_out" not in cell]
        figures = scenario.entry(kind, measured) if measured else {"left_out": cells[0]["left_out"]}
        found.append({"model": model, "kind": kind, "processes": len(measured), **figures})
    return found
