"""How sure a figure is: intervals and paired tests from the figure on resamples of the rows.

Source: Efron & Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13 (percentile interval). Departures: plain
percentiles, without the BCa correction that would leave out one cluster at a time for every figure; a reflected
interval for calibration error.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from distill.evaluation.metrics import FloatArray

_TAILS = (0.025, 0.975)
_COUNTED = 10
_NORMAL = NormalDist()

Interval = dict[str, float | None]


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


def whole_interval(value: ArrayLike, resampled: FloatArray) -> Interval:
    """A figure with its interval, which is None where more than one resample in 40 is undefined (NaN).

    Of a share of a gain that is where there is no gain, of a threshold where none is good enough. Leaving those out, as
    `interval` does, would hide that the interval has no end there.
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


def evidence(value: float, rows: FloatArray, noise: FloatArray) -> float | None:
    """The p-value of a difference, told apart beyond what R resamples can count.

    With fewer than ten resamples on one side of 0 it is that of a normal curve over the rows around each draw of the
    seeds' noise, at most `p_value`: 2 · min over both signs of mean_r Φ(± (d + noise_r) / sd(rows)).

    Args: value: the difference d. rows: its resamples over rows (R,). noise: what seeds add to each (R,).
    """
    counted, known = p_value(rows + noise), rows[np.isfinite(rows)]
    if counted is None or counted >= 2 * (1 + _COUNTED) / (1 + len(known)) or known.std() == 0:
        return counted
    shifts, times = np.unique(noise, return_counts=True)
    places = (value + shifts) / known.std()
    tails = (sum(n * _NORMAL.cdf(sign * z) for z, n in zip(places, times, strict=True)) for sign in (-1, 1))
    return min(counted, 2 * float(min(tails)) / len(noise))


def student_t(degrees: float) -> float:
    """The 97.5% point of Student's distribution with so many degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, _TAILS[1]))


def _number(value: ArrayLike) -> float | None:
    return float(np.asarray(value)) if np.isfinite(value) else None
