"""How sure a figure is: intervals and paired tests by resampling clusters of rows.

Rows that share a product are not independent, so whole clusters are drawn, with replacement, and a figure is computed
again from each draw. Drawing a cluster w times adds its sums w times: R resamples are one product of weights (R, K) and
sums (K, M).

Source: Efron & Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13 (percentile interval); Field & Welsh
2007, "Bootstrapping clustered data", JRSS B 69 (clusters as the unit). Departures: plain percentiles, without the BCa
correction that would leave out one cluster at a time for every figure; no interval under 30 clusters, where it would be
too narrow; a reflected interval for calibration error.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distill.core.errors import UserError
from distill.evaluation.metrics import FloatArray

FEWEST_CLUSTERS = 30
_TAILS = (0.025, 0.975)
_CHUNK_REPLICATES = 50
_KEEP_BYTES = 1 << 28

Interval = dict[str, float | None]


def require_clusters(clusters: int, rows: int, *, by_row: bool, where: str | None = None) -> None:
    """Check that there are clusters enough to resample. Raises: UserError with their number under 30."""
    if clusters < FEWEST_CLUSTERS:
        more = "rows" if by_row else "values of the first key in data.keys"
        raise UserError(
            f"an interval needs at least {FEWEST_CLUSTERS} clusters",
            where=where,
            found=f"{clusters} clusters in {rows} rows",
            do=f"give a split with more {more}",
        )


class Bootstrap:
    """R resamples of the clusters of N rows, the same ones for every model: that is what pairs two models.

    Args: rows: N. clusters: cluster id of each row, int (N,); None makes every row its own. replicates: R. seed: of the
        draws.
    Raises: UserError under 30 clusters, with their number. ValueError when `clusters` is not (N,).
    """

    def __init__(self, rows: int, clusters: ArrayLike | None = None, replicates: int = 1000, seed: int = 1) -> None:
        ids = np.arange(rows) if clusters is None else np.asarray(clusters)
        if ids.shape != (rows,):
            raise ValueError(f"{rows} rows need clusters of shape ({rows},), got {ids.shape}")
        names, self._cluster = np.unique(ids, return_inverse=True)
        require_clusters(len(names), rows, by_row=clusters is None)
        self.rows, self.clusters, self.replicates, self.seed = rows, len(names), replicates, seed
        # Drawing takes longer than the product, and every model and pair needs it: kept where it is small.
        small = replicates * self.clusters * np.dtype(np.uint16).itemsize <= _KEEP_BYTES
        self._kept = list(self._drawn()) if small else None

    def resample(self, columns: ArrayLike) -> FloatArray:
        """Sums of each resample (R, M) from one value per row and column (N, M).

        Raises: ValueError when the rows are not the N of this bootstrap.
        """
        values = np.asarray(columns, np.float64)
        if values.ndim != 2 or len(values) != self.rows:
            raise ValueError(f"this bootstrap resamples ({self.rows}, M), got {values.shape}")
        by_cluster = [np.bincount(self._cluster, column, self.clusters) for column in values.T]
        sums = np.stack(by_cluster, axis=1)
        return np.concatenate([weights.astype(np.float64) @ sums for weights in self._kept or self._drawn()])

    def _drawn(self) -> Iterator[NDArray[np.uint16]]:
        """How often each cluster is drawn, in chunks (r, K) that together have R rows; each row sums to K."""
        random = np.random.default_rng(self.seed)
        for start in range(0, self.replicates, _CHUNK_REPLICATES):
            count = min(_CHUNK_REPLICATES, self.replicates - start)
            picks = random.integers(0, self.clusters, (count, self.clusters))
            picks += np.arange(count)[:, None] * self.clusters
            weights = np.bincount(picks.ravel(), minlength=count * self.clusters)
            yield weights.reshape(count, self.clusters).astype(np.uint16)


def interval(value: ArrayLike, resampled: FloatArray) -> Interval:
    """The figure with its 95% percentile interval.

    Args: value: the figure (), on the rows as they are. resampled: the same figure on each resample (R,); NaN where it
        is undefined there, which leaves that resample out.
    Returns: `{"value", "low", "high"}`, None in place of what is undefined.
    """
    defined = resampled[np.isfinite(resampled)]
    if not np.isfinite(value) or not len(defined):
        return {"value": _number(value), "low": None, "high": None}
    low, high = np.quantile(defined, _TAILS)
    return {"value": float(np.asarray(value)), "low": float(low), "high": float(high)}


def share_interval(value: ArrayLike, resampled: FloatArray) -> Interval:
    """A share of a gain with its interval, which is None where more than one resample in 40 has no gain to share (NaN).

    Leaving those out, as `interval` does, would hide that the interval has no end there.
    """
    found = interval(value, resampled)
    if np.isnan(resampled).mean() > _TAILS[0]:
        return {**found, "low": None, "high": None}
    return found


def ece_interval(value: ArrayLike, resampled: FloatArray) -> Interval:
    """A calibration error v with its 95% interval reflected about v, [2v − q97.5, 2v − q2.5], kept ≥ 0 and around v.

    A resample adds noise to every bin and the absolute value turns noise into error, so resampled errors are above the
    measured one as that is above the true one, and percentiles point the wrong way. Simulated with 1,000 rows of a
    calibrated model, percentiles never held the true error and could miss v; the reflected interval held it in two sets
    of three, and where the model is off by 0.08 both hold it nine times in ten.
    Source: the "basic" interval of Davison & Hinkley 1997, "Bootstrap Methods and their Application", equation 5.6.
    """
    plain = interval(value, resampled)
    centre, low, high = plain["value"], plain["low"], plain["high"]
    if centre is None or low is None or high is None:
        return plain
    return {"value": centre, "low": max(0.0, min(centre, 2 * centre - high)), "high": max(centre, 2 * centre - low)}


def difference(value: ArrayLike, gaps: FloatArray) -> Interval:
    """A difference with its 95% interval and two-sided p-value, paired through shared resamples.

    Args: value: the difference a − b (), on the rows as they are. gaps: a − b on each resample of one `Bootstrap` (R,).
    Returns: `{"difference", "low", "high", "p_value"}`.
    """
    found = interval(value, gaps)
    return {"difference": found["value"], "low": found["low"], "high": found["high"], "p_value": p_value(gaps)}


def p_value(gaps: FloatArray) -> float | None:
    """Two-sided p-value that a resampled difference is 0: twice the smaller share on either side of it, at most 1.

    It agrees with the percentile interval: p falls under about 0.05 where the interval leaves 0 out. Counts start at 1,
    so it is never 0 (Davison & Hinkley 1997, section 4.2); resamples at 0 count on both sides.
    """
    defined = gaps[np.isfinite(gaps)]
    if not len(defined):
        return None
    below, above = int((defined <= 0).sum()), int((defined >= 0).sum())
    return min(1.0, 2 * (1 + min(below, above)) / (1 + len(defined)))


def _number(value: ArrayLike) -> float | None:
    return float(np.asarray(value)) if np.isfinite(value) else None
