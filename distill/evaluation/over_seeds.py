"""Figures of one model over one or more training seeds: their mean, its interval, and how far the seeds are apart.

The same clusters are drawn in every seed, and a replicate is the mean over seeds of the figure on that draw. So the
interval says how the mean would move with other test rows; the spread says how it moves with other seeds. A single run
is one seed: its mean is its own figure, and it has no spread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from distill.core.files import Json
from distill.evaluation.entries import Comparison
from distill.evaluation.metrics import FloatArray, Tally
from distill.evaluation.scored import Scored, positive_index, require_same_rows
from distill.evaluation.statistics import Bootstrap, Interval, difference, interval

METRICS = ("accuracy", "f1_macro", "log_loss", "f1_positive")


@dataclass(frozen=True)
class Figure:
    """One figure in every seed.

    Attributes:
        values: float64 (S,), on the rows as they are. resampled: float64 (S, R), on each resample.
    """

    values: FloatArray
    resampled: FloatArray

    def __sub__(self, other: Figure) -> Figure:
        """The difference seed by seed, on shared resamples."""
        return Figure(self.values - other.values, self.resampled - other.resampled)

    def share_of(self, other: Figure) -> Figure:
        """The ratio to a gain seed by seed, on shared resamples; NaN where the other is 0 or less: no gain to share."""
        return Figure(_share(self.values, other.values), _share(self.resampled, other.resampled))

    def mean(self, around: Callable[[float, FloatArray], Interval] = interval) -> Json:
        """`{"value", "low", "high"}` of the mean over seeds, with the `spread` of several."""
        return {**around(float(self.values.mean()), self.resampled.mean(axis=0)), **self._spread()}

    def mean_difference(self) -> Json:
        """`{"difference", "low", "high", "p_value"}` of a mean difference over seeds, with the `spread` of several."""
        return {**difference(self.values.mean(), self.resampled.mean(axis=0)), **self._spread()}

    def _spread(self) -> Json:
        """The least and the greatest of the seeds; empty for one seed."""
        if len(self.values) == 1:
            return {}
        ends = (float(self.values.min()), float(self.values.max()))
        return {"spread": [end if np.isfinite(end) else None for end in ends]}


class Seeded:
    """One model's predictions on the same rows in every seed, with its tallies on resamples shared by all models.

    Args: scored: one for each seed. bootstrap: over the same rows.
    Raises: UserError when a seed was scored on other rows than the first.
    """

    def __init__(self, scored: Sequence[Scored], bootstrap: Bootstrap) -> None:
        for other in scored[1:]:
            require_same_rows(scored[0], other)
        self.scored, self.name, self.space = list(scored), scored[0].name, scored[0].space
        self.bootstrap = bootstrap
        self.totals = [one.tally.total() for one in scored]
        self.resampled = [Tally(bootstrap.resample(one.tally.columns)) for one in scored]

    def of(self, figure: Callable[[Tally], FloatArray]) -> Figure:
        """A figure of a tally, which gives () from a total and (R,) from resamples."""
        values = np.array([float(figure(total)) for total in self.totals])
        return Figure(values, np.stack([figure(resampled) for resampled in self.resampled]))

    def metric(self, name: str) -> Figure:
        """A figure of a tally, or `f1_positive`, by its name. Raises: UserError for the latter without such a class."""
        if name == "f1_positive":
            return self.f1(positive_index(self.space))
        return self.of(lambda tally: np.asarray(getattr(tally, name)))

    def f1(self, index: int) -> Figure:
        """F1 of the class with this index, at the largest probability."""
        return self.of(lambda tally: np.asarray(tally.f1[..., index]))


def comparison(a: Seeded, b: Seeded, metric: str) -> Comparison:
    """Paired difference a − b of one of `METRICS` on the same rows, the mean over seeds.

    Raises: UserError when the rows differ, or for `f1_positive` without a positive class.
    """
    require_same_rows(a.scored[0], b.scored[0])
    apart = (a.metric(metric) - b.metric(metric)).mean_difference()
    return Comparison.from_json({"a": a.name, "b": b.name, "metric": metric, **apart})


def _share(above: FloatArray, below: FloatArray) -> FloatArray:
    quotient: FloatArray = np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)
    return quotient
