"""What a scenario is: a way to ask one subject in a fresh process, and what its processes come to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from benchmarks import scenarios
from benchmarks.config import BenchConfig
from benchmarks.requests import Row
from benchmarks.timing import Clock
from distill.core.files import Json
from distill.core.siblings import sibling
from distill.inference.scorer import Scorer


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

    def apart(self) -> list[Scorer]:
        """A session of one thread for each thread of the budget; none where they cannot be, or would be one."""
        return [self.open(1) for _ in range(self.threads)] if self.several and self.threads > 1 else []


class Scenario:
    """A way to ask a subject. Attributes: name: in `bench.scenarios`, and key of its entries in latency.json."""

    name: ClassVar[str]

    def measure(self, served: Served) -> list[Json]:
        """The cells that one process measures. Each has `kind`, a text that says which cell it is."""
        raise NotImplementedError

    def entry(self, kind: str, cells: Sequence[Mapping[str, Any]]) -> Json:
        """What the same cell of several processes comes to."""
        raise NotImplementedError


def scenario_named(name: str) -> Scenario:
    """The scenario of this name. Raises: UserError with the nearest one."""
    return sibling(scenarios, Scenario, name, "scenario", "bench.scenarios")()


def entries(scenario: Scenario, model: str, processes: Sequence[Sequence[Mapping[str, Any]]]) -> list[Json]:
    """The entries of a model, a cell each, in the order of its first process."""
    kinds = dict.fromkeys(str(cell["kind"]) for cells in processes for cell in cells)
    return [
        {
            "model": model,
            "kind": kind,
            "processes": len(processes),
            **scenario.entry(kind, [cell for cells in processes for cell in cells if cell["kind"] == kind]),
        }
        for kind in kinds
    ]
