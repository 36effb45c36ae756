"""What a scenario is: a way to ask one subject in a fresh process, and what its processes come to."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from benchmarks import scenarios
from benchmarks.config import BenchConfig
from benchmarks.intervals import student
from benchmarks.requests import Row
from benchmarks.timing import Clock
from distill.core.files import Json
from distill.core.siblings import sibling
from distill.inference.scorer import Scorer


@dataclass(frozen=True)
class Served:
    """A subject that can be opened, and what it may be asked.

    Attributes: open: opens it with so many threads. rows: the requests. threads: the whole budget. clock: nanoseconds.
        sleep: for so many seconds. seconds: of the process, about; None: as long as it takes.
    """

    open: Callable[[int], Scorer]
    rows: Sequence[Row]
    threads: int
    config: BenchConfig
    clock: Clock
    sleep: Callable[[float], None]
    seconds: float | None = None


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


def spread(values: Sequence[float]) -> Json:
    """The geometric mean of one figure of each process, with its 95% interval by Student's t; no bounds for one."""
    logs = np.log(np.asarray(values, np.float64))
    value, count = math.exp(logs.mean()), len(logs)
    if count == 1:
        return {"value": value, "low": None, "high": None}
    reach = student(count - 1) * float(logs.std(ddof=1)) / math.sqrt(count)
    return {"value": value, "low": value * math.exp(-reach), "high": value * math.exp(reach)}
