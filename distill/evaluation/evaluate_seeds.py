"""Every quality figure of several runs that differ in their training seed: means over the seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from distill.core.label_space import LabelSpace
from distill.core.progress import progress
from distill.core.project import Quality
from distill.evaluation.calibrated_predictions import ALL, Answers, Model, References, read_answers
from distill.evaluation.evaluate import described, metrics, require_paired, resamples, short
from distill.evaluation.majority import MAJORITY, MODEL, majority_answers
from distill.evaluation.metrics import FloatArray, f1_score
from distill.evaluation.operating_points import measured
from distill.evaluation.over_seeds import Figure, Seeded
from distill.evaluation.quality import Scored, require_same_rows
from distill.evaluation.standing import better_twins, standings
from distill.evaluation.statistics import Bootstrap, ece_interval

Points = dict[str, float | None]
ByTest = Mapping[str, Seeded]


def evaluate_seeds(
    models: Sequence[Model],
    tests: Sequence[str],
    references: References,
    predictions: Mapping[int, Path],
    space: LabelSpace,
    settings: Quality,
    seed: int,
    priors: FloatArray,
) -> dict[str, Any]:
    """What `evaluate` returns for one run, as means over several, with their `seeds`.

    Each figure with an interval also has its `spread`, the least and the greatest of the seeds. Retention is the mean
    of the ratios in each seed. Temperatures and thresholds are means too, of those that each seed chose on validation;
    an operating point that any seed did not reach is null. A better twin has the lowest mean log loss on validation.

    Args: predictions: seed to its folder of prediction folders; the rest as in `evaluate`.
    Raises: UserError as `evaluate`, and when seeds were scored on different rows.
    """
    answers = {
        model.name: [read_answers(model, tests, folder, space, settings) for folder in predictions.values()]
        for model in models
    }
    leads = next(iter(answers.values()))
    models, answers = [*models, MODEL], {**answers, MAJORITY: [majority_answers(lead, priors) for lead in leads]}
    draws = resamples(leads[0], settings, seed)
    seeded: dict[str, ByTest] = {}
    with progress("resampling", len(models)) as advance:
        for index, (name, given) in enumerate(answers.items()):
            require_paired(leads[0], given[0])
            seeded[name] = {test: Seeded([one.tests[test] for one in given], draws[test]) for test in draws}
            advance(index + 1)
    twins = better_twins(models, answers)
    overall = {name: by_test[ALL] for name, by_test in seeded.items()}
    standing = standings(models, overall, references, twins, settings.metric)
    return {
        "seeds": list(predictions),
        "tests": [short(test) for test in tests],
        "models": [_describe(one, answers[one.name], seeded[one.name], standing[one.name], draws) for one in models],
        "twins": twins,
        "comparisons": list(_comparisons(models, overall, space)),
    }


def mean_comparison(a: Seeded, b: Seeded, metric: str) -> dict[str, Any]:
    """Paired difference a − b of one of `METRICS`, the mean over seeds: an entry of `comparisons`.

    Raises: UserError when the rows differ.
    """
    require_same_rows(a.scored[0], b.scored[0])
    return {"a": a.name, "b": b.name, "metric": metric, **(a.metric(metric) - b.metric(metric)).mean_difference()}


def _comparisons(models: Sequence[Model], overall: ByTest, space: LabelSpace) -> Iterator[dict[str, Any]]:
    for model in models:
        for rival in model.rivals:
            for metric in metrics(space):
                yield mean_comparison(overall[model.name], overall[rival], metric)


def _describe(
    model: Model,
    answers: Sequence[Answers],
    own: ByTest,
    standing: Mapping[str, Any],
    draws: Mapping[str, Bootstrap],
) -> dict[str, Any]:
    points = [one.points for one in answers if one.points is not None]
    thresholds = {name: _mean([one[name] for one in points]) for name in points[0]} if points else None
    blocks = {test: _quality(one, points, draws[test]) for test, one in own.items()}
    return described(model, answers, blocks, thresholds, standing)


def _quality(model: Seeded, points: Sequence[Points], draws: Bootstrap) -> dict[str, Any]:
    """The `quality` block of report.json, as `distill.evaluation.quality.quality` makes it for one run."""
    return {
        "rows": len(model.scored[0]),
        **{name: model.metric(name).mean() for name in ("accuracy", "f1_macro", "log_loss")},
        "ece": model.metric("ece").mean(ece_interval),
        "per_class": {label: _per_class(model, index) for index, label in enumerate(model.space.labels)},
        "positive": _positive(model, points, draws),
        "slices": _slices(model.scored),
    }


def _per_class(model: Seeded, index: int) -> dict[str, Any]:
    shares = {
        "precision": float(np.mean([total.precision[index] for total in model.totals])),
        "recall": float(np.mean([total.recall[index] for total in model.totals])),
    }
    return {**shares, **_with_bounds("f1", model.f1(index))}


def _with_bounds(name: str, figure: Figure) -> dict[str, Any]:
    """`f1`, `f1_interval` and `f1_spread`: a figure that has others beside it in one mapping."""
    found = figure.mean()
    spread = {f"{name}_spread": found["spread"]} if "spread" in found else {}
    return {name: found["value"], f"{name}_interval": [found["low"], found["high"]], **spread}


def _positive(model: Seeded, points: Sequence[Points], draws: Bootstrap) -> dict[str, Any] | None:
    if model.space.positive is None:
        return None
    names = points[0] if points else {}
    return {"operating_points": {name: _point(model, [one[name] for one in points], draws) for name in names}}


def _point(model: Seeded, thresholds: Sequence[float | None], draws: Bootstrap) -> dict[str, Any] | None:
    """The mean figures of every seed at its own threshold; None where a seed has none."""
    chosen = [threshold for threshold in thresholds if threshold is not None]
    if len(chosen) < len(thresholds):
        return None
    figures, resampled = [], []
    for scored, threshold in zip(model.scored, chosen, strict=True):
        chances, gold = scored.positive()
        predicted = chances >= threshold
        figures.append(measured(chances, gold, threshold))
        resampled.append(f1_score(*draws.resample(np.stack([predicted & gold, predicted, gold], axis=1)).T))
    means = {name: float(np.mean([figure[name] for figure in figures])) for name in figures[0]}
    f1 = Figure(np.array([figure["f1"] for figure in figures]), np.stack(resampled))
    return {**means, **_with_bounds("f1", f1)}


def _slices(scored: Sequence[Scored]) -> dict[str, dict[str, Any]] | None:
    if scored[0].slices is None:
        return None
    names = np.asarray(scored[0].slices, dtype=object)
    return {name: _slice(scored, names == name) for name in sorted(set(scored[0].slices))}


def _slice(scored: Sequence[Scored], rows: Any) -> dict[str, Any]:
    totals, index = [one.tally.only(rows).total() for one in scored], scored[0].space.positive_index
    return {
        "rows": int(rows.sum()),
        "accuracy": float(np.mean([total.accuracy for total in totals])),
        "f1_macro": float(np.mean([total.f1_macro for total in totals])),
        "f1_positive": None if index is None else float(np.mean([total.f1[index] for total in totals])),
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None
