"""Intervals of speed-ups: the unit that is drawn is the fresh process, not the request and not the round.

Requests of one process share its memory layout, its threads' placement and the state of the machine, so that thousands
of them are no thousand observations; a process is one. A subject's p50 is the geometric mean of the p50 of its
processes. Of a mean, resamples of processes, each with all of its requests, have a variance in closed form: Σ(x − x̄)² /
P², and P / (P − 1) times that corrects it for few processes. So nothing has to be drawn.

The p50 of all requests of all processes thrown together will not do: all processes answer the same requests, so their
latencies lie in clusters, one for each request, and that median is the end of a cluster, which moves by jumps. Its
resampled intervals missed the truth in 8% of simulated benches.

Sources: Kalibera & Jones 2013, "Rigorous benchmarking in reasonable time", ISMM (variance by level, effort where a
second buys most); Kalibera & Jones 2012, "Quantifying performance changes with effect size confidence intervals",
arXiv:2007.10899 (intervals of ratios, resamples at the level of processes); Davison & Hinkley 1997, "Bootstrap methods
and their application", section 3.8 (of two levels, the upper is drawn with replacement, what is within it is kept:
drawing both makes intervals too wide); Efron & Tibshirani 1993, "An introduction to the bootstrap", section 5.2 (of a
mean); Welch 1947, "The generalization of Student's problem", Biometrika 34 (degrees of freedom of a difference whose
two sides have variances of their own).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from distill.core.files import Json
from distill.evaluation.statistics import student_t

Key = TypeVar("Key")
_PRIOR = 4.0
MOST_DEGREES = 4


class Interval(NamedTuple):
    """A ratio with its 95% interval."""

    value: float
    low: float
    high: float

    @property
    def width(self) -> float:
        """Half the width as a share of the ratio: 0.03 is ±3%."""
        return (self.high - self.low) / (2 * self.value)


class Centre(NamedTuple):
    """The logarithm of a subject's p50, its variance between processes, how many of these there are, and the degrees
    of freedom of the variance.
    """

    log: float
    variance: float
    processes: int
    freedom: float


def centre(latencies: Sequence[NDArray[np.float64]]) -> Centre:
    """The p50 of one subject over its processes, and how far other processes would have moved it.

    Args: latencies: of each of P ≥ 1 processes, (n,), the same requests in the same order in each.
    Returns: with a variance of NaN for one process, which says nothing about others.
    """
    return over_processes([float(np.median(one)) for one in latencies])


def over_processes(values: Sequence[float]) -> Centre:
    """The mean of the logarithms of one figure of each of P ≥ 1 processes; the variance of one alone is NaN."""
    logs, count = np.log(values), len(values)
    variance = float(logs.var()) / (count - 1) if count > 1 else math.nan
    return Centre(float(logs.mean()), variance, count, count - 1)


def around(one: Centre) -> tuple[float, float] | None:
    """The 95% interval of the figure itself, by all degrees of freedom of its variance; None for one process."""
    if math.isnan(one.variance):
        return None
    reach = student_t(one.freedom) * math.sqrt(one.variance)
    return math.exp(one.log - reach), math.exp(one.log + reach)


def pooled(centres: Mapping[Key, Centre]) -> dict[Key, Centre]:
    """The same, the variance of each moved towards that of an average subject: a moderated t.

    Two or three processes say little of how far apart processes are: two that agree by luck would make a ratio sure,
    and sampling that ends when intervals are narrow picks such accidents; two that do not would leave it open for ever,
    at one degree of freedom. On one machine all subjects meet the same drift. So a subject of d + 1 processes counts
    the average s₀² as d₀ more observations beside its own s²: (d s² + d₀ s₀²) / (d + d₀), with d + d₀ degrees of
    freedom; d₀ is `_PRIOR`, at most half of what the other subjects have.
    Source: Smyth 2004, "Linear models and empirical Bayes methods for assessing differential expression", Statistical
    Applications in Genetics and Molecular Biology 3, section 3, with d₀ fixed. Simulated by hand, processes 2% or 13%
    apart or apart by factors of their own (log-normal, 0.8), two to twelve subjects, two or three processes each and
    more until ±3%: 94% to 99% of intervals held the truth. With the larger of both variances and a subject's own
    degrees of freedom 97% to 100% did, up to two thirds wider. The tests repeat two of these.
    """
    known = {name: one for name, one in centres.items() if one.processes > 1}
    every = sum(one.freedom for one in known.values())
    average = sum(one.freedom * one.variance * one.processes for one in known.values()) / (every or 1)
    found = dict(centres)
    for name, one in known.items():
        prior = min(_PRIOR, (every - one.freedom) / 2)
        freedom = one.freedom + prior
        variance = (one.freedom * one.variance + prior * average / one.processes) / freedom
        found[name] = one._replace(variance=variance, freedom=freedom)
    return found


def ratio(above: Centre, below: Centre) -> Interval | None:
    """How many times as fast `below` is as `above`, with a 95% interval; None where a side has one process only.

    The interval is symmetric in the logarithm: exp(log ratio ± t · √(V_above + V_below)), t the 97.5% point of
    Student's distribution with Welch's degrees of freedom.
    """
    variance = above.variance + below.variance
    if math.isnan(variance):
        return None
    value = math.exp(above.log - below.log)
    reach = student_t(degrees(above, below)) * math.sqrt(variance)
    return Interval(value, value * math.exp(-reach), value * math.exp(reach))


def degrees(above: Centre, below: Centre) -> float:
    """Welch's degrees of freedom of the difference of two logarithms, at most those of three processes a side.

    Sampling that ends as soon as an interval is narrow has not the degrees that it ends with: 93% of simulated benches
    had the truth in their interval without this bound, 96% with it (Stein 1945, "A two-sample test for a linear
    hypothesis whose power is independent of the variance", Annals of Mathematical Statistics 16: the degrees of the
    first stage hold for the whole).
    """
    parts = sum(side.variance**2 / side.freedom for side in (above, below) if side.freedom)
    found = (above.variance + below.variance) ** 2 / parts if parts else above.freedom + below.freedom
    return min(found, MOST_DEGREES)


def spread(values: Sequence[float]) -> Json:
    """The geometric mean of one figure of each process, with its 95% interval by Student's t; no bounds for one."""
    one = over_processes(values)
    low, high = around(one) or (None, None)
    return {"value": math.exp(one.log), "low": low, "high": high}
