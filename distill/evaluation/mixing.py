"""How much each of several models should count in a mixture of their probabilities, fitted on labelled rows.

Shapes: M models, N rows, C classes; `chances` float64 (M, N, C) holds each model's probabilities.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distill.core.folds import fold_numbers
from distill.core.objectives.objective import Objective
from distill.evaluation.metrics import FloatArray, mixed

FOLDS = 5
_LEAST = 0.02  # a model that never counts for more would be paid for over the whole pool
_PRIOR_ROWS = 10.0
_ROUNDS, _CLOSE = 500, 1e-9
_TINY = 1e-12


@dataclass(frozen=True)
class Blend:
    """Weights of a mixture, and what they came to on rows that they were not fitted on.

    Attributes:
        weights: (M,), or (M, C) with weights of each class; 0 for a model that is left out.
        shares: float64 (M,), each model's part in the gold, summing to 1.
        logits: float64 (N, K) of the mixture, each fold by weights that were fitted on the other folds.
        plain, by_class: log loss of such logits with one weight for each model, and with one for each class too.
    """

    weights: FloatArray
    shares: FloatArray
    logits: FloatArray
    plain: float
    by_class: float

    @property
    def is_by_class(self) -> bool:
        """Whether each class has weights of its own."""
        return self.weights.ndim == 2


def blend(
    chances: FloatArray, target: FloatArray, clusters: NDArray[np.integer], objective: Objective, seed: int
) -> Blend:
    """The mixture with the lowest log loss; weights by class where they lower the log loss out of fold.

    Figures are out of fold: the clusters are dealt into 5 folds, and each fold is scored by weights that were fitted on
    the other four. The weights that are returned are then fitted on all rows. A model that would count for less than 2%
    is left out, and the others are fitted again.

    Args: chances: (M, N, C). target: gold (N, C). clusters: int (N,), rows that stay in one fold. seed: of the folds.
    """
    folds = fold_numbers([str(number) for number in clusters], FOLDS, seed)
    plain = _out_of_fold(plain_weights, chances, target, folds, objective)
    by_class = _out_of_fold(class_weights, chances, target, folds, objective)
    losses = [float(objective.row_log_loss(logits, target).mean()) for logits in (plain, by_class)]
    fit, logits = (class_weights, by_class) if losses[1] < losses[0] else (plain_weights, plain)
    weights = fit(chances, target, objective)
    return Blend(weights, _shares(weights, chances, target, objective), logits, *losses)


Fit = Callable[[FloatArray, FloatArray, Objective], FloatArray]


def _out_of_fold(
    fit: Fit, chances: FloatArray, target: FloatArray, folds: NDArray[np.int64], objective: Objective
) -> FloatArray:
    """Logits (N, K) of each fold by the weights that the other folds give."""
    found = np.empty(chances.shape[1:])
    for fold in range(FOLDS):
        own = folds == fold
        weights = fit(chances[:, ~own], target[~own], objective)
        found[own] = mixed(chances[:, own], weights, objective)
    return objective.logits(found)


def plain_weights(chances: FloatArray, target: FloatArray, objective: Objective) -> FloatArray:
    """Weights (M,) ≥ 0 that sum to 1, with the lowest log loss of Σ_m w_m p_m.

    The problem is convex, and expectation maximisation solves it: w_m ← mean over gold of w_m p_m / Σ_k w_k p_k.
    Source: Dempster, Laird & Rubin 1977, "Maximum Likelihood from Incomplete Data via the EM Algorithm", section 4.3,
    with densities that are given; stacking by log score in Yao et al. 2018, arXiv:1704.02030, equation 7.
    """
    events, gold = _events(chances, target, objective)
    return _without_the_least(lambda kept: _mixed_by_em(events[kept], gold), len(chances))


def class_weights(chances: FloatArray, target: FloatArray, objective: Objective) -> FloatArray:
    """Weights (M, C) ≥ 0: each class trusts the models otherwise, and classes with few rows nearly as `plain_weights`.

    One label per record: p_c = Σ_m w_mc p_mc / Σ_k Σ_m w_mk p_mk. The log loss is lowered in each round by
    w_mc ← (Σ_i r_imc + λ w_m) / (Σ_i p_imc / Z_i + λ), with r_imc the part of model m in the gold class of row i, Z_i
    the sum in its denominator, w_m the plain weights and λ = 10 rows; the first term is that of expectation
    maximisation, the second bounds log Z by its tangent. Several labels: each class by itself, as in `plain_weights`,
    with the plain weights counted as 10 rows.

    Source: Hunter & Lange 2004, "A Tutorial on MM Algorithms", The American Statistician 58 (both bounds); λ is the
    mode under a gamma prior, our addition: without it a class of three rows takes the model that guessed them.
    """
    plain = plain_weights(chances, target, objective)
    fit = _several if objective.several else _competing
    return _without_the_least(lambda kept: fit(chances[kept], target, _normed(plain[kept])), len(chances))


def _without_the_least(fit: Callable[[NDArray[np.intp]], FloatArray], models: int) -> FloatArray:
    """Weights of all models, after those that never count for much are left out. Args: fit: on the models kept."""
    kept = np.arange(models)
    weights = fit(kept)
    parts = weights / np.maximum(weights.sum(axis=0), _TINY)
    enough = parts.reshape(models, -1).max(axis=1) >= _LEAST
    if not enough.all():
        kept = np.flatnonzero(enough)
        fitted = fit(kept)
        weights = np.zeros((models, *fitted.shape[1:]))
        weights[kept] = fitted
    return weights


def _events(chances: FloatArray, target: FloatArray, objective: Objective) -> tuple[FloatArray, FloatArray]:
    """What the gold says happened: each model's probability of it (M, E), and how much it counts (E,)."""
    if objective.several:
        chances, target = np.concatenate([chances, 1 - chances], axis=2), np.concatenate([target, 1 - target], axis=1)
    rows, places = np.nonzero(target)
    return np.maximum(chances[:, rows, places], _TINY), target[rows, places]


def _mixed_by_em(events: FloatArray, gold: FloatArray, prior: FloatArray | None = None) -> FloatArray:
    """Args: events: (M, E). gold: (E,). prior: weights (M,) that count as some rows more."""
    more = np.zeros(len(events)) if prior is None else _PRIOR_ROWS * prior
    weights, last = np.full(len(events), 1 / len(events)), -np.inf
    for _ in range(_ROUNDS):
        joint = weights[:, None] * events
        total = joint.sum(axis=0)
        reached = float(gold @ np.log(total))
        weights = _normed((joint / total) @ gold + more)
        if reached - last < _CLOSE * len(gold):
            break
        last = reached
    return weights


def _several(chances: FloatArray, target: FloatArray, plain: FloatArray) -> FloatArray:
    columns = [
        np.concatenate([chances[:, :, index], 1 - chances[:, :, index]], axis=1) for index in range(target.shape[1])
    ]
    golds = [np.concatenate([column, 1 - column]) for column in target.T]
    found = [_mixed_by_em(np.maximum(c, _TINY), g, plain) for c, g in zip(columns, golds, strict=True)]
    return np.stack(found, axis=1)


def _competing(chances: FloatArray, target: FloatArray, plain: FloatArray) -> FloatArray:
    # From a start above 0: what is multiplied in each round never leaves 0.
    start = (plain + 1 / len(plain)) / 2
    weights, last = np.repeat(start[:, None], target.shape[1], axis=1), -np.inf
    for _ in range(_ROUNDS):
        joint = np.maximum(weights[:, None] * chances, _TINY)
        by_class = joint.sum(axis=0)
        total = by_class.sum(axis=1)
        reached = float((target * np.log(by_class)).sum() - target.sum(axis=1) @ np.log(total))
        gold = np.einsum("mnc,nc->mc", joint, target / by_class)
        bound = np.einsum("mnc,n->mc", chances, target.sum(axis=1) / total)
        weights = (gold + _PRIOR_ROWS * plain[:, None]) / (bound + _PRIOR_ROWS)
        if abs(reached - last) < _CLOSE * len(target):
            break
        last = reached
    return weights


def _shares(weights: FloatArray, chances: FloatArray, target: FloatArray, objective: Objective) -> FloatArray:
    """Each model's part in the gold."""
    if weights.ndim == 1:
        return weights
    joint = weights[:, None] * chances
    return _normed((joint * (target / np.maximum(joint.sum(axis=0), _TINY))).sum(axis=(1, 2)))


def _normed(weights: FloatArray) -> FloatArray:
    total = weights.sum()
    return weights / total if total > 0 else np.full(len(weights), 1 / len(weights))
