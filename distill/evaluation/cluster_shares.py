"""A share of rows with its interval where rows depend on each other: they share a product, a page.

The interval is Wilson's at an effective number of rows, n* = p(1 − p) / V · (z / t)². V is the variance of the share
over clusters, by linearisation: row i adds (aᵢ − p·bᵢ) / Σb to p = Σa / Σb, and `Entities.variance` adds that up over
what rows share. z and t are the 97.5% points of the normal distribution and of Student's with G − 1 degrees of freedom,
G the fewest clusters of a key that have rows to count. n* is at most the number of rows; where all rows agree there is
no V, and it is at most G. Percentiles of a bootstrap would say that three right answers of three leave no doubt.

Sources: Korn & Graubard 1998, "Confidence intervals for proportions with small expected number of positive counts
estimated from survey data", Survey Methodology 24 (n* and its factor); Dean & Pagano 2015, "Evaluating confidence
interval methods for binomial proportions in clustered surveys", Journal of Survey Statistics and Methodology 3
(Wilson's at n*).
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from distill.evaluation.bootstrap import drawn_keys
from distill.evaluation.entities import Entities
from distill.evaluation.metrics import FloatArray
from distill.evaluation.proportions import effective_rows, wilson
from distill.evaluation.statistics import Interval, student_t

_Z = NormalDist().inv_cdf(0.975)


class ClusterShares:
    """Shares over N rows.

    Args: clusters: int (N,), or (N, K) of K keys, as `Bootstrap` takes them; those count that it draws.
    """

    def __init__(self, clusters: NDArray[np.int64]) -> None:
        keys = clusters.reshape(len(clusters), -1)
        self._keys = keys[:, drawn_keys(keys)]
        self._entities = Entities(self._keys)

    def interval(self, above: FloatArray, below: FloatArray) -> Interval:
        """Σ above / Σ below with its 95% interval: `{"value", "low", "high"}`, all None where nothing is below.

        Args: above, below: (N,), of each row what it adds: its weight where it counts, else 0; above ≤ below.
        """
        total = float(below.sum())
        if total <= 0:
            return wilson(0.0, 0)
        share = min(1.0, float(above.sum()) / total)
        counted = self._keys[below > 0]
        clusters = min(len(np.unique(key)) for key in counted.T)
        if clusters < 2:
            return wilson(share, 1)
        variance = self._entities.variance((above - share * below)[None, :] / total) * clusters / (clusters - 1)
        most = effective_rows(below)
        # Weights differ by rounding alone where all agree.
        doubtful = variance > 1e-12 * share * (1 - share) > 0
        rows = min(most, share * (1 - share) / variance) if doubtful else min(most, clusters)
        return wilson(share, rows * (_Z / student_t(clusters - 1)) ** 2)
