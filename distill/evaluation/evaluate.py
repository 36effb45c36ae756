"""Every quality figure of a run, from its prediction files alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from distill.core.label_space import LabelSpace
from distill.core.progress import progress
from distill.core.project import Quality
from distill.evaluation.calibrated_predictions import ALL, Answers, Model, References, read_answers
from distill.evaluation.majority import MAJORITY, MODEL, majority_answers
from distill.evaluation.metrics import FloatArray, Tally
from distill.evaluation.over_seeds import Seeded
from distill.evaluation.quality import Scored, comparison, quality, require_same_rows
from distill.evaluation.standing import better_twins, standings, valid_log_loss
from distill.evaluation.statistics import Bootstrap, interval


def evaluate(
    models: Sequence[Model],
    tests: Sequence[str],
    references: References,
    predictions: Path,
    space: LabelSpace,
    settings: Quality,
    seed: int,
    priors: FloatArray,
) -> dict[str, Any]:
    """Quality and comparisons of all models: the `tests`, `models`, `twins` and `comparisons` of report.json.

    Temperature, operating points and the better gold-only twin are chosen on validation; test rows are only measured.
    Probabilities, log loss and ECE are those after the temperature, as they are served. The models end with the
    majority answer.

    Args: tests: names of the test splits (`test.unseen`). predictions: folder of the prediction folders. priors: (C,)
        share of training rows with each label.
    Raises: UserError for missing or unpaired predictions, and for tests with under 30 clusters.
    """
    answers = {model.name: read_answers(model, tests, predictions, space, settings) for model in models}
    lead = next(iter(answers.values()))
    for answer in answers.values():
        require_paired(lead, answer)
    models, answers = [*models, MODEL], {**answers, MAJORITY: majority_answers(lead, priors)}
    draws = resamples(lead, settings, seed)
    twins = better_twins(models, {name: [answer] for name, answer in answers.items()})
    overall = {name: Seeded([answer.tests[ALL]], draws[ALL]) for name, answer in answers.items()}
    standing = standings(models, overall, references, twins, settings.metric)
    entries = []
    with progress("resampling", len(models)) as advance:
        for index, model in enumerate(models):
            entries.append(_describe(model, answers[model.name], standing[model.name], draws))
            advance(index + 1)
    compared = list(_comparisons(models, answers, space, draws[ALL]))
    return {"tests": [short(test) for test in tests], "models": entries, "twins": twins, "comparisons": compared}


def _comparisons(
    models: Sequence[Model], answers: Mapping[str, Answers], space: LabelSpace, draws: Bootstrap
) -> Iterator[dict[str, Any]]:
    for model in models:
        for rival in model.rivals:
            for metric in metrics(space):
                yield comparison(answers[model.name].tests[ALL], answers[rival].tests[ALL], metric, draws)


def require_paired(one: Answers, other: Answers) -> None:
    """Check that both models were scored on the same rows. Raises: UserError naming the first that differs."""
    require_same_rows(one.valid, other.valid)
    require_same_rows(one.tests[ALL], other.tests[ALL])


def resamples(answers: Answers, settings: Quality, seed: int) -> dict[str, Bootstrap]:
    """The resamples of each test split and of all, which every model shares. Raises: as `Bootstrap`."""
    return {name: one.bootstrap(settings.replicates, seed) for name, one in answers.tests.items()}


def metrics(space: LabelSpace) -> list[str]:
    """The figures that two models are compared by."""
    return ["accuracy", "f1_macro", "log_loss", *(["f1_positive"] if space.positive else [])]


def f1_intervals(f1: FloatArray, resampled: FloatArray, labels: Sequence[str]) -> dict[str, list[float | None]]:
    """The 95% interval of each class's F1, by label. Args: f1: (C,). resampled: (R, C)."""
    around = {label: interval(f1[index], resampled[:, index]) for index, label in enumerate(labels)}
    return {label: [found["low"], found["high"]] for label, found in around.items()}


def described(
    model: Model,
    answers: Sequence[Answers],
    quality_of: Mapping[str, dict[str, Any]],
    thresholds: Mapping[str, float | None] | None,
    standing: Mapping[str, Any],
) -> dict[str, Any]:
    """One of the `models` of report.json.

    Args: answers: one for each seed. quality_of: quality block by test split, and under `all`. standing: of
        `standings`.
    """
    return {
        "name": model.name,
        "role": model.role,
        "preset": model.preset,
        "view": model.view,
        "layers": model.layers,
        "parameters": model.parameters,
        "temperature": float(np.mean([one.temperature for one in answers])),
        "thresholds": thresholds,
        "valid": {"log_loss": valid_log_loss(answers)},
        "quality": quality_of[ALL],
        "tests": {short(name): block for name, block in quality_of.items() if name != ALL},
        **standing,
    }


def _describe(
    model: Model, own: Answers, standing: Mapping[str, Any], draws: Mapping[str, Bootstrap]
) -> dict[str, Any]:
    blocks = {name: _quality(scored, own, draws[name]) for name, scored in own.tests.items()}
    return described(model, [own], blocks, own.points, standing)


def _quality(scored: Scored, own: Answers, draws: Bootstrap) -> dict[str, Any]:
    block, resampled = quality(scored, own.points, draws), Tally(draws.resample(scored.tally.columns))
    around = f1_intervals(scored.tally.total().f1, resampled.f1, scored.space.labels)
    block["per_class"] = {label: {**one, "f1_interval": around[label]} for label, one in block["per_class"].items()}
    return block


def short(test: str) -> str:
    """The name of a test split as the user wrote it: `unseen` for `test.unseen`."""
    return test.removeprefix("test.")
