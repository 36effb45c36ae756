"""Students that may fit a bound on latency: in which order they are timed, and which are worth training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from benchmarks.intervals import spread
from benchmarks.latency_rows import Round
from benchmarks.timing import NS_PER_MS
from distill.core.files import Json

HELD_OUT = 1.1
"""Times the bound: what other requests than those that candidates were chosen on may take."""


@dataclass(frozen=True)
class Shape:
    """What the speed of a student depends on, whatever its weights.

    Attributes: name: of its entry. line: what shapes of different depth have in common: what they start from, or their
        width. layers: 0 for a family without layers.
    """

    name: str
    line: str
    layers: int


@dataclass(frozen=True)
class Candidate:
    """A shape as it may be served. Attributes: tokens: of its view, at most. target: what it is exported to."""

    shape: Shape
    tokens: int
    target: str
    threads: int

    @property
    def student(self) -> str:
        """Name of the student that is trained for it."""
        return f"{self.shape.name}-{self.tokens}"

    @property
    def name(self) -> str:
        """`3L-32.onnx-int8, 1 thread`."""
        return f"{self.student}.{self.target}, {self.threads} thread{'s' if self.threads > 1 else ''}"

    @property
    def key(self) -> str:
        """Name of its folder."""
        return f"{self.student}.{self.target}.{self.threads}"

    def within(self, other: Candidate) -> bool:
        """Whether it does no more work than another one of its line, served alike."""
        alike = (self.shape.line, self.target, self.threads) == (other.shape.line, other.target, other.threads)
        return alike and self.shape.layers <= other.shape.layers and self.tokens <= other.tokens


class Chosen(NamedTuple):
    """A student that is worth training. Attributes: candidates: the ways to serve it that fit. why: in words."""

    candidates: tuple[Candidate, ...]
    why: str

    @property
    def student(self) -> str:
        """Its name."""
        return self.candidates[0].student


def percentile_of(processes: Sequence[Round], percentile: str) -> Json:
    """`{"value", "low", "high"}` in ms of single requests: the mean of each process's percentile, 95% over processes.

    Args: processes: see `benchmarks.latency_worker.measure`. percentile: `p50` or `p99`.
    Returns: without bounds for one process, which says nothing of others.
    """
    share = float(percentile.removeprefix("p"))
    return spread([float(np.percentile(one["batches"]["1"]["total_ns"], share)) / NS_PER_MS for one in processes])


def fits(figure: Mapping[str, float | None], bound: float) -> bool:
    """Whether the whole interval is within the bound."""
    return figure["high"] is not None and figure["high"] <= bound


def rising(candidates: Iterable[Candidate]) -> list[Candidate]:
    """By work: none comes before one that does less and may rule it out."""
    return sorted(candidates, key=lambda one: (one.shape.line, one.target, one.threads, one.shape.layers, one.tokens))


def ruled_out_by(
    candidate: Candidate, timed: Mapping[Candidate, Mapping[str, float | None]], bound: float
) -> Candidate | None:
    """One that does no more work and whose whole interval is over the bound; None: it has to be timed."""
    over = (one for one, figure in timed.items() if figure["low"] is not None and figure["low"] > bound)
    return next((one for one in over if one.within(candidate)), None)


def worth_training(fitting: Sequence[Candidate], most: int) -> tuple[list[Chosen], list[Chosen]]:
    """Of each line the deepest that fits at each length, unless a longer one is as deep; those of `most` students.

    One of each line comes first, the one with most work (layers times tokens), then the others by their work, so that
    a line without a chance by work is tried all the same.

    Returns: those that are trained, and those beyond `most`.
    """
    served: dict[tuple[Shape, int], list[Candidate]] = {}
    for one in fitting:
        served.setdefault((one.shape, one.tokens), []).append(one)
    ends = {own: found for own, found in served.items() if not any(_is_more(other, own) for other in served)}
    ordered = sorted(ends, key=lambda own: (own[0].layers * own[1], own[1]), reverse=True)
    first = [next(own for own in ordered if own[0].line == line) for line in dict.fromkeys(o[0].line for o in ordered)]
    found = [
        Chosen(tuple(ends[own]), _why(own, first=own in first))
        for own in [*first, *(own for own in ordered if own not in first)]
    ]
    return found[:most], found[most:]


def front(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """The names that no other one beats: not slower and better, or faster and not worse.

    Args: points: by name, milliseconds and a quality of which more is better.
    """

    def beaten(name: str) -> bool:
        ms, quality = points[name]
        return any(
            other_ms <= ms and other >= quality and (other_ms, other) != (ms, quality)
            for other_ms, other in points.values()
        )

    return sorted((name for name in points if not beaten(name)), key=lambda name: points[name])


def combinations(
    shapes: Iterable[Shape], targets: Mapping[str, Sequence[str]], tokens: Iterable[int], threads: Iterable[int]
) -> Iterator[Candidate]:
    """Every candidate. Args: targets: what each shape can be exported to, by its name."""
    lengths, pools = list(tokens), list(threads)
    for shape in shapes:
        for target in targets.get(shape.name, ()):
            for length in lengths:
                for count in pools:
                    yield Candidate(shape, length, target, count)


def _is_more(other: tuple[Shape, int], own: tuple[Shape, int]) -> bool:
    (shape, tokens), (mine, length) = other, own
    return other != own and shape.line == mine.line and shape.layers >= mine.layers and tokens >= length


def _why(own: tuple[Shape, int], *, first: bool) -> str:
    shape, tokens = own
    what = f"the deepest {shape.line} that fits at {tokens} tokens" if shape.layers else f"{shape.line} at its longest"
    return f"{what}{', and most work of its line' if first and shape.layers else ''}"
