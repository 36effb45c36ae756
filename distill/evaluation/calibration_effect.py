"""What calibration does: log loss, Brier score and calibration error of a model before and after it, on test rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from distill.core.files import Json
from distill.core.folds import fold_numbers
from distill.core.objectives.objective import Objective
from distill.evaluation.bootstrap import Bootstrap
from distill.evaluation.calibrated_predictions import CalibratedPredictions
from distill.evaluation.calibration import fit_temperature
from distill.evaluation.figure import POSITIVE, SHARE, Figure
from distill.evaluation.influence import influence
from distill.evaluation.isotonic import FEWEST_ROWS, fit_isotonic
from distill.evaluation.metrics import FloatArray, Tally, log_loss, tally
from distill.evaluation.over_seeds import Seeded
from distill.evaluation.reliability import reliability
from distill.evaluation.statistics import ece_interval, interval

NONE, TEMPERATURE, ISOTONIC = "none", "temperature", "isotonic"
_FOLDS = 5

Calibrated = Callable[[FloatArray], FloatArray]


def calibration_effect(model: Seeded, predictions: Sequence[CalibratedPredictions]) -> Json:
    """Both ways of calibrating a model beside none, each fitted on validation alone.

    The run serves the temperature. The isotonic way is tried where validation has 1,000 rows or more in every seed, and
    `better` is the way with the lower log loss in five folds of validation, over clusters; test rows are only measured.

    Args: model: on all test rows, calibrated by its temperature. predictions: the same, one for each seed.
    Returns: `model`, `rows` of validation; `ways`, by `none`, `temperature` and perhaps `isotonic` the `log_loss`,
        `brier` and `ece` with their intervals; `before`, the bins of `reliability` without calibration; where there is
        a choice, `better` and `cross_fitted`, the log loss on validation by way.
    """
    raw = [one.valid.logits.astype(np.float64) * one.temperature for one in predictions]
    targets = [np.asarray(one.valid.target, np.float64) for one in predictions]
    test = [one.logits.astype(np.float64) * own.temperature for one, own in zip(model.scored, predictions, strict=True)]
    ways = {NONE: test, TEMPERATURE: [one.logits.astype(np.float64) for one in model.scored]}
    objective, enough = model.space.objective, min(len(one) for one in raw) >= FEWEST_ROWS
    chosen: Json = {}
    if enough:
        fitted = [fit_isotonic(own, gold, objective) for own, gold in zip(raw, targets, strict=True)]
        ways[ISOTONIC] = [fit(own) for fit, own in zip(fitted, test, strict=True)]
        losses = _cross_fitted(raw, targets, [one.valid_clusters for one in predictions], objective)
        chosen = {"better": min(losses, key=losses.__getitem__), "cross_fitted": losses}
    return {
        "model": model.name,
        "rows": len(raw[0]),
        "ways": {way: _figures(logits, model) for way, logits in ways.items()},
        "before": reliability([replace(one, logits=own) for one, own in zip(model.scored, test, strict=True)]),
        **chosen,
    }


def row_brier(logits: FloatArray, target: FloatArray, objective: Objective) -> FloatArray:
    """Squared distance of each row's probabilities from its target (N,), the mean over labels where several hold.

    Source: Brier 1950, "Verification of forecasts expressed in terms of probability", Monthly Weather Review 78 (1).
    """
    apart = (objective.probabilities(logits) - target) ** 2
    return np.asarray(apart.mean(axis=1) if objective.several else apart.sum(axis=1))


def _figures(logits: Sequence[FloatArray], model: Seeded) -> Json:
    """The figures of one way. Args: logits: (N, K) of each seed."""
    objective, target = model.space.objective, np.asarray(model.scored[0].target, np.float64)
    # The classes' own sums are not needed: those of one keep the shape.
    columns = [
        np.hstack([tally(own, target, objective).of_class(0).columns, row_brier(own, target, objective)[:, None]])
        for own in logits
    ]
    resampled = [model.bootstrap.resample(own) for own in columns]

    def of(figure: Callable[[FloatArray], FloatArray], limits: tuple[float, float]) -> Figure:
        return _figure(figure, columns, resampled, model.bootstrap, limits)

    return {
        "log_loss": of(lambda sums: Tally(sums[..., :-1]).log_loss, POSITIVE).mean(interval),
        "brier": of(lambda sums: np.asarray(sums[..., -1] / sums[..., 0]), (0.0, 2.0)).mean(interval),
        "ece": of(lambda sums: Tally(sums[..., :-1]).ece, SHARE).mean(ece_interval),
    }


def _figure(
    figure: Callable[[FloatArray], FloatArray],
    columns: Sequence[FloatArray],
    resampled: Sequence[FloatArray],
    bootstrap: Bootstrap,
    limits: tuple[float, float],
) -> Figure:
    values = np.array([float(figure(own.sum(axis=0))) for own in columns])
    moved = np.stack([influence(figure, own) for own in columns]) if bootstrap.several else None
    return Figure(values, np.stack([figure(own) for own in resampled]), bootstrap, moved, limits=limits)


def _cross_fitted(
    logits: Sequence[FloatArray], targets: Sequence[FloatArray], clusters: Sequence[Sequence[str]], objective: Objective
) -> dict[str, float]:
    """Log loss of each way on validation rows that it was not fitted on, the mean over seeds."""
    found: dict[str, list[float]] = {TEMPERATURE: [], ISOTONIC: []}
    for own, gold, names in zip(logits, targets, clusters, strict=True):
        folds = fold_numbers(list(names) or [str(place) for place in range(len(own))], _FOLDS, 0)
        held = {way: np.zeros_like(own) for way in found}
        for fold in range(_FOLDS):
            inside, outside = folds == fold, folds != fold
            temperature = fit_temperature(own[outside], gold[outside], objective)
            held[TEMPERATURE][inside] = own[inside] / temperature
            held[ISOTONIC][inside] = fit_isotonic(own[outside], gold[outside], objective)(own[inside])
        for way, answered in held.items():
            found[way].append(log_loss(answered, gold, objective))
    return {way: float(np.mean(losses)) for way, losses in found.items()}
