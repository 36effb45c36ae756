"""Resamples of rows that share entities: products, pages.

Rows that share a product are not independent, so products are drawn, with replacement, and a figure is computed again
from each draw. Drawing a row w times adds its sums w times: R resamples are one product of weights (R, C) and sums
(C, M).

Where rows have two keys, a row is drawn as often as its product times its page: w = w_product · w_page (the pigeonhole
bootstrap), an entity on both sides of one row counting once. That is too wide. To first order its variance is
Σ_k L_k, with L_k the variance over sets of k entities that rows share (`Entities.narrowing`): of two keys
V₁ + V₂ + V₁₂, where rows that depend on each other if they share either key have V₁ + V₂ − V₁₂. So the deviations on
its resamples are multiplied by √((V₁ + V₂ − V₁₂) / (V₁ + V₂ + V₁₂)), the V of each figure from the influence of each
row on it, and by √(G / (G − 1)) · t/z, with the 97.5% points of Student's distribution with G − 1 degrees of freedom
and of the normal one, G the fewest values of a key.

Chosen by simulation, 600 sets each of a mean, 95% intervals: true values missed by draws of the first key · the
pigeonhole · the pigeonhole narrowed without that last factor: independent rows 5.0 · 0.2 · 5.3%, both keys matter (60 ×
60 values) 13.8 · 2.8 · 5.2%, only the second does 35.7 · 2.3 · 6.7%, pages within products 6.0 · 0.8 · 6.5%, products
on either side 24.8 · 2.8 · 6.5%, such products in few rows each 13.2 · 1.7 · 7.0%.

Sources: Field & Welsh 2007, "Bootstrapping clustered data", JRSS B 69 (clusters as the unit); Owen 2007, "The
pigeonhole bootstrap", Annals of Applied Statistics 1 (product weights, and that they are too wide); Cameron, Gelbach &
Miller 2011, "Robust inference with multiway clustering", JBES 29 (V₁ + V₂ − V₁₂, and a factor for few values); Aronow,
Samii & Assenova 2015, "Cluster-robust variance estimation for dyadic data", Political Analysis 23; MacKinnon, Nielsen &
Webb 2024, "Jackknife inference with two-way clustering", arXiv:2406.08880 (variances that fall under those of one key).
Departures: never narrower than one key alone; no interval under 30 values of the first key, where it would be too
narrow.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distill.core.errors import UserError
from distill.core.halves import FEWEST_CLUSTERS
from distill.evaluation.entities import Entities
from distill.evaluation.metrics import FloatArray
from distill.evaluation.statistics import student_t

_CHUNK_REPLICATES = 50
_KEEP_BYTES = 1 << 28

Seed = int | tuple[int, ...]


def require_clusters(
    clusters: int, rows: int, *, by_row: bool, where: str | None = None, others: Mapping[str, int] | None = None
) -> None:
    """Check that there are clusters enough to resample.

    Args: others: further keys to the values that they have in these rows.
    Raises: UserError with their number under 30, naming the further keys that have as many.
    """
    if clusters < FEWEST_CLUSTERS:
        more = "rows" if by_row else "values of the first key in data.keys"
        enough = [f"{key} ({values} values)" for key, values in (others or {}).items() if values >= FEWEST_CLUSTERS]
        first = f"put {' or '.join(enough)} first in data.keys, or " if enough else ""
        raise UserError(
            f"an interval needs at least {FEWEST_CLUSTERS} clusters",
            where=where,
            found=f"{clusters} clusters in {rows} rows",
            do=f"{first}give a split with more {more}",
        )


def drawn_keys(keys: NDArray[np.int64]) -> list[bool]:
    """Which of the keys (N, K) rows depend on each other by: the first, and each further one with 30 values or more.

    A further key with fewer is not drawn: figures are for those values then. So few cannot say how much others would
    differ, and there may be no others (four shops).
    """
    return [place == 0 or len(np.unique(key)) >= FEWEST_CLUSTERS for place, key in enumerate(keys.T)]


class Bootstrap:
    """R resamples of N rows, the same ones for every model: that is what pairs two models.

    Args: rows: N. clusters: int (N,), the first key of each row; of K keys (N, K), where equal numbers are the same
        entity on either side; None makes every row its own. replicates: R. seed: of the draws.
    Raises: UserError for under 30 values of the first key, with their number. ValueError when `clusters` is not (N,) or
        (N, K).

    Attributes: clusters: values of the first key. values: of every key. drawn: of each key, as in `drawn_keys`.
    """

    def __init__(self, rows: int, clusters: ArrayLike | None = None, replicates: int = 1000, seed: Seed = 1) -> None:
        ids = np.arange(rows) if clusters is None else np.asarray(clusters, np.int64)
        keys = ids.reshape(len(ids), -1) if ids.size else ids.reshape(rows, 1)
        if len(keys) != rows or ids.ndim > 2:
            raise ValueError(f"{rows} rows need clusters of shape ({rows},) or ({rows}, K), got {ids.shape}")
        self.values = [len(np.unique(key)) for key in keys.T]
        require_clusters(self.values[0], rows, by_row=clusters is None)
        self.drawn = drawn_keys(keys)
        self.rows, self.clusters, self.replicates, self.seed = rows, self.values[0], replicates, seed
        self._entities = Entities(keys[:, self.drawn])
        # Drawing takes longer than the product, and every model and pair needs it: kept where it is small.
        small = replicates * len(self._entities.cells) * np.dtype(np.uint16).itemsize <= _KEEP_BYTES
        self._kept = list(self._weights()) if small else None

    @property
    def several(self) -> bool:
        """Whether more than one key is drawn."""
        return sum(self.drawn) > 1

    def resample(self, columns: ArrayLike) -> FloatArray:
        """Sums of each resample (R, M) from one value per row and column (N, M).

        Raises: ValueError when the rows are not the N of this bootstrap.
        """
        values = np.asarray(columns, np.float64)
        if values.ndim != 2 or len(values) != self.rows:
            raise ValueError(f"this bootstrap resamples ({self.rows}, M), got {values.shape}")
        cells = len(self._entities.cells)
        sums = np.stack([np.bincount(self._entities.cell, column, cells) for column in values.T], axis=1)
        return np.concatenate([weights.astype(np.float64) @ sums for weights in self.weights()])

    def weights(self) -> Iterator[NDArray[np.uint16]]:
        """How often each cell is drawn, in chunks (r, C) that together have R rows."""
        yield from self._kept or self._weights()

    def by_row(self, weights: NDArray[np.uint16]) -> NDArray[np.uint16]:
        """How often each row is drawn (r, N). Args: weights: a chunk of `weights`."""
        return weights[:, self._entities.cell]

    def narrowing(self, influence: FloatArray) -> float:
        """By what a figure's deviations on the resamples are to be multiplied; 1 where one key is drawn.

        Args: influence: (D, N), as in `Entities.narrowing`.
        """
        if not self.several:
            return 1.0
        fewest = min(values for values, drawn in zip(self.values, self.drawn, strict=True) if drawn)
        return self._entities.narrowing(influence) * _for_few(fewest)

    def _weights(self) -> Iterator[NDArray[np.uint16]]:
        sizes = self._entities.populations
        # The first population has the draws that it would have alone.
        own = self.seed if isinstance(self.seed, tuple) else (self.seed,)
        draws = [np.random.default_rng([*own, place] if place else self.seed) for place in range(len(sizes))]
        for start in range(0, self.replicates, _CHUNK_REPLICATES):
            count = min(_CHUNK_REPLICATES, self.replicates - start)
            each = [_drawn(random, count, size) for random, size in zip(draws, sizes, strict=True)]
            yield self._entities.weights(np.concatenate(each, axis=1))


def _drawn(random: np.random.Generator, count: int, size: int) -> NDArray[np.uint16]:
    """How often each of `size` values is drawn, (count, size); each row sums to `size`."""
    picks = random.integers(0, size, (count, size))
    picks += np.arange(count)[:, None] * size
    return np.bincount(picks.ravel(), minlength=count * size).reshape(count, size).astype(np.uint16)


def _for_few(values: int) -> float:
    """√(G / (G − 1)) · t/z for G values."""
    return math.sqrt(values / (values - 1)) * student_t(values - 1) / NormalDist().inv_cdf(0.975)
