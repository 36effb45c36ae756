"""One figure over one or more training seeds: its mean, how sure that is, and how far the seeds are apart.

The same rows are drawn in every seed, and a replicate is the mean over seeds of the figure on that draw: what other
test rows would change. What other seeds would change is added to each replicate as σ/√S · t, with t drawn from
Student's distribution with S − 1 degrees of freedom, and σ² the variance between seeds less what of it comes from the
rows: s² − (mean of s² over the replicates − s²), at least 0. One seed says nothing of others: its interval is over the
rows alone.

Drawing the S seeds with replacement instead has (S − 1)/S of their variance and so few values that an interval cannot
reach beyond the seeds themselves. Simulated with 3 seeds and 300 rows, 800 sets each, 95% intervals missed the truth:
where seeds decide, 26% with seeds drawn, 20% with that variance multiplied by S/(S − 1), 6% as here; where the rows
decide 4, 4 and 5%; where a seed changes other rows each time 0.4, 0.3 and 3%; in a mixture of all three 3, 2 and 7%.
Source: Student 1908, "The probable error of a mean", Biometrika 6; for both sources of variation at once Bouthillier et
al. 2021, "Accounting for variance in machine learning benchmarks", arXiv:2103.03098.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from distill.core.files import Json
from distill.evaluation.bootstrap import Bootstrap
from distill.evaluation.metrics import FloatArray
from distill.evaluation.ratio import ratio
from distill.evaluation.statistics import Interval, difference, evidence, interval

ANY, SHARE, POSITIVE = (-math.inf, math.inf), (0.0, 1.0), (0.0, math.inf)


@dataclass(frozen=True)
class Figure:
    """One figure in every seed.

    Attributes:
        values: float64 (S,), on the rows as they are. resampled: float64 (S, R), on each resample.
        bootstrap: that made the resamples. influence: float64 (S, N), of each row; None where one key is drawn.
        chosen: float64 (S, R), what choosing again on other rows adds to each resample; None where nothing is chosen.
        limits: between which the figure lies by definition.
    """

    values: FloatArray
    resampled: FloatArray
    bootstrap: Bootstrap
    influence: FloatArray | None = None
    chosen: FloatArray | None = None
    limits: tuple[float, float] = ANY

    def __sub__(self, other: Figure) -> Figure:
        """The difference seed by seed, on shared resamples."""
        influence = None
        if self.influence is not None and other.influence is not None:
            influence = self.influence - other.influence
        limits = self.limits[0] - other.limits[1], self.limits[1] - other.limits[0]
        resampled = self.resampled - other.resampled
        return Figure(self.values - other.values, resampled, self.bootstrap, influence, limits=limits)

    def share_of(self, other: Figure) -> Figure:
        """The ratio to a gain seed by seed, on shared resamples; NaN where the other is 0 or less: no gain to share."""
        values = ratio(self.values, other.values, np.nan)
        influence = None
        if self.influence is not None and other.influence is not None:
            own = self.influence - values[:, None] * other.influence
            influence = ratio(own, np.broadcast_to(other.values[:, None], own.shape), np.nan)
        return Figure(values, ratio(self.resampled, other.resampled, np.nan), self.bootstrap, influence)

    def mean(self, around: Callable[[float, FloatArray], Interval] = interval) -> Json:
        """`{"value", "low", "high"}` of the mean over seeds, with the `spread` of several."""
        return {**around(float(self.values.mean()), self.replicates()), **self._spread()}

    def mean_difference(self) -> Json:
        """`{"difference", "low", "high", "p_value", "evidence"}` of a mean difference, with the `spread` of seeds.

        `evidence` is for `corrected`, which takes it out.
        """
        value, noise = float(self.values.mean()), self._seed_noise()
        rows = self._rows()
        found = difference(value, np.clip(rows + noise, *self.limits))
        return {**found, "evidence": evidence(value, rows, noise), **self._spread()}

    def replicates(self, stream: int = 0) -> FloatArray:
        """The mean over seeds as it might have come out with other rows and other seeds (R,).

        Args: stream: of the seeds' noise; figures of models that were trained apart need streams of their own.
        """
        return np.clip(self._rows() + self._seed_noise(stream), *self.limits)

    def _rows(self) -> FloatArray:
        """The mean over seeds on each resample, without what product weights add (R,)."""
        means: FloatArray = self.resampled.mean(axis=0)
        value = float(self.values.mean())
        if self.influence is not None:
            means = value + self.bootstrap.narrowing(self.influence.mean(axis=0, keepdims=True)) * (means - value)
        return means if self.chosen is None else means + self.chosen.mean(axis=0)

    def _seed_noise(self, stream: int = 0) -> FloatArray:
        seeds, replicates = self.resampled.shape
        if seeds == 1:
            return np.zeros(replicates)
        on_resamples = self.resampled if self.chosen is None else self.resampled + self.chosen
        between, varied = self.values.var(ddof=1), on_resamples.var(axis=0, ddof=1)
        known = varied[np.isfinite(varied)]
        by_rows = known.mean() - between if len(known) else 0.0
        if self.influence is not None:
            by_rows *= self.bootstrap.narrowing(self.influence - self.influence.mean(axis=0)) ** 2
        spread = math.sqrt(max(0.0, between - by_rows) / seeds) if np.isfinite(between) else 0.0
        own = [seeds, replicates, stream] if stream else [seeds, replicates]
        drawn = np.random.default_rng(own).standard_t(seeds - 1, replicates)
        return np.asarray(spread * drawn)

    def _spread(self) -> Json:
        """The least and the greatest of the seeds; empty for one seed."""
        if len(self.values) == 1:
            return {}
        ends = (float(self.values.min()), float(self.values.max()))
        return {"spread": [end if np.isfinite(end) else None for end in ends]}
