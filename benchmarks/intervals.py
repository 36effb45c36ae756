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
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distill.core.files import Json

_LEVEL = 0.975
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
    """The logarithm of a subject's p50, its variance between processes, and how many of these there are."""

    log: float
    variance: float
    processes: int


def centre(latencies: Sequence[NDArray[np.float64]]) -> Centre:
    """The p50 of one subject over its processes, and how far other processes would have moved it.

    Args: latencies: of each of P ≥ 1 processes, (n,), the same requests in the same order in each.
    Returns: with a variance of NaN for one process, which says nothing about others.
    """
    logs, count = np.log([np.median(one) for one in latencies]), len(latencies)
    variance = float(logs.var()) / count * count / (count - 1) if count > 1 else math.nan
    return Centre(float(logs.mean()), variance, count)


def pooled(centres: Mapping[str, Centre]) -> dict[str, Centre]:
    """The same, no variance smaller than that of an average subject with as many processes.

    Of three processes that agree by luck none would be measured again: sampling that ends when intervals are narrow
    picks such accidents. Simulated (processes 2% apart, sampling as `benchmarks.sampling` does): a model against itself
    had 1 in its interval in 93% of 1000 benches with variances of their own, and in 96% with these.
    """
    known = [one for one in centres.values() if one.processes > 1]
    if not known:
        return dict(centres)
    freedom = sum(one.processes - 1 for one in known)
    average = sum((one.processes - 1) * one.variance * one.processes for one in known) / freedom
    return {
        name: one if one.processes == 1 else one._replace(variance=max(one.variance, average / one.processes))
        for name, one in centres.items()
    }


def ratio(above: Centre, below: Centre) -> Interval | None:
    """How many times as fast `below` is as `above`, with a 95% interval; None where a side has one process only.

    The interval is symmetric in the logarithm: exp(log ratio ± t · √(V_above + V_below)), t the 97.5% point of
    Student's distribution with Welch's degrees of freedom.
    """
    variance = above.variance + below.variance
    if math.isnan(variance):
        return None
    value = math.exp(above.log - below.log)
    reach = student(degrees(above, below)) * math.sqrt(variance)
    return Interval(value, value * math.exp(-reach), value * math.exp(reach))


def degrees(above: Centre, below: Centre) -> float:
    """Welch's degrees of freedom of the difference of two logarithms, at most those of three processes a side.

    Sampling that ends as soon as an interval is narrow has not the degrees that it ends with: 93% of simulated benches
    had the truth in their interval without this bound, 96% with it (Stein 1945, "A two-sample test for a linear
    hypothesis whose power is independent of the variance", Annals of Mathematical Statistics 16: the degrees of the
    first stage hold for the whole).
    """
    parts = sum(side.variance**2 / (side.processes - 1) for side in (above, below))
    found = (above.variance + below.variance) ** 2 / parts if parts else above.processes + below.processes - 2
    return min(found, MOST_DEGREES)


def student(degrees_of_freedom: float) -> float:
    """The 97.5% point of Student's distribution."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees_of_freedom, _LEVEL))


def spread(values: Sequence[float]) -> Json:
    """The geometric mean of one figure of each process, with its 95% interval by Student's t; no bounds for one."""
    logs = np.log(np.asarray(values, np.float64))
    value, count = math.exp(logs.mean()), len(logs)
    if count == 1:
        return {"value": value, "low": None, "high": None}
    reach = student(count - 1) * float(logs.std(ddof=1)) / math.sqrt(count)
    return {"value": value, "low": value * math.exp(-reach), "high": value * math.exp(reach)}
