"""What the time of a step grows with, so that a plan can be timed before it is run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Counts = Mapping[str, int]


@dataclass(frozen=True)
class Work:
    """The size of one step.

    Attributes:
        rows: read once each: labelled, predicted, timed, drawn. 0 for a step whose time does not grow with rows.
        steps: optimiser steps, as likely; 0 for a step that trains nothing. most_steps: at most.
        batch: rows of an optimiser step. every: steps between two evaluations. valid_rows: rows read at each.
        most_minutes: ceiling of a training run or of a measurement in minutes.
        launches: processes that are started for it. grows: whether what it leaves grows with `rows`.
        like: name of a step of the plan that does the same work on the same kind of rows and is timed in its place.
    """

    rows: int = 0
    steps: int = 0
    most_steps: int = 0
    batch: int = 0
    every: float = 1
    valid_rows: int = 0
    most_minutes: float = math.inf
    launches: int = 0
    grows: bool = False
    like: str | None = None


Workload = Callable[[Counts], Work]


def no_work(rows: Counts) -> Work:
    """A step that takes the same time whatever the rows are."""
    return Work()


def reading(*splits: str, like: str | None = None) -> Workload:
    """A step that passes each row of these splits through a model once."""
    return lambda rows: Work(rows=sum(rows.get(split, 0) for split in splits), grows=True, like=like)
