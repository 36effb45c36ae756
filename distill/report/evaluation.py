"""Every quality figure of a run, from its prediction files alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.core.label_space import LabelSpace
from distill.core.metrics import FloatArray, Tally
from distill.core.progress import progress
from distill.core.project import Quality
from distill.core.quality import Scored, comparison, quality, require_same_rows, retention
from distill.core.statistics import Bootstrap, interval
from distill.report.answers import ALL, Answers, Model, References, read_answers


def evaluate(
    models: Sequence[Model],
    tests: Sequence[str],
    references: References,
    predictions: Path,
    space: LabelSpace,
    settings: Quality,
    seed: int,
) -> dict[str, Any]:
    """Quality, retention and comparisons of all models: the `tests`, `models` and `comparisons` of report.json.

    Temperature and operating points are chosen on validation; test rows are only measured. Probabilities, log loss and
    ECE are those after the temperature, as they are served.

    Args: tests: names of the test splits (`test.unseen`). predictions: folder of the prediction folders.
    Raises: UserError for missing or unpaired predictions, and for tests with under 30 clusters.
    """
    answers = {model.name: read_answers(model, tests, predictions, space, settings) for model in models}
    first = next(iter(answers.values())).tests
    for answer in answers.values():
        require_same_rows(first[ALL], answer.tests[ALL])
    draws = {name: Bootstrap(len(scored), scored.clusters, settings.replicates, seed) for name, scored in first.items()}
    with progress("resampling", len(models)) as advance:
        entries = []
        for index, model in enumerate(models):
            entries.append(_describe(model, answers, references, draws))
            advance(index + 1)
    comparisons = [
        comparison(answers[model.name].tests[ALL], answers[rival].tests[ALL], metric, draws[ALL])
        for model in models
        for rival in model.rivals
        for metric in metrics(space)
    ]
    return {"tests": [short(test) for test in tests], "models": entries, "comparisons": comparisons}


def metrics(space: LabelSpace) -> list[str]:
    """The figures that two models are compared by."""
    return ["accuracy", "f1_macro", "log_loss", *(["f1_positive"] if space.positive else [])]


def f1_intervals(f1: FloatArray, resampled: FloatArray, labels: Sequence[str]) -> dict[str, list[float | None]]:
    """The 95% interval of each class's F1, by label. Args: f1: (C,). resampled: (R, C)."""
    around = {label: interval(f1[index], resampled[:, index]) for index, label in enumerate(labels)}
    return {label: [found["low"], found["high"]] for label, found in around.items()}


def described(
    model: Model,
    quality_of: Mapping[str, dict[str, Any]],
    temperature: float,
    thresholds: Mapping[str, float | None] | None,
    kept: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """One of the `models` of report.json. Args: quality_of: quality block by test split, and under `all`."""
    return {
        "name": model.name,
        "role": model.role,
        "preset": model.preset,
        "view": model.view,
        "layers": model.layers,
        "parameters": model.parameters,
        "temperature": temperature,
        "thresholds": thresholds,
        "quality": quality_of[ALL],
        "tests": {short(name): block for name, block in quality_of.items() if name != ALL},
        "retention": kept,
    }


def _describe(
    model: Model, answers: dict[str, Answers], references: References, draws: dict[str, Bootstrap]
) -> dict[str, Any]:
    own = answers[model.name]
    kept = None
    if model.role != "teacher":
        kept = {
            view: retention(own.tests[ALL], answers[reference].tests[ALL], draws[ALL])
            for view, reference in references.by_view.items()
        }
    blocks = {name: _quality(scored, own, draws[name]) for name, scored in own.tests.items()}
    return described(model, blocks, own.temperature, own.points, kept)


def _quality(scored: Scored, own: Answers, draws: Bootstrap) -> dict[str, Any]:
    block, resampled = quality(scored, own.points, draws), Tally(draws.resample(scored.tally.columns))
    around = f1_intervals(scored.tally.total().f1, resampled.f1, scored.space.labels)
    block["per_class"] = {label: {**one, "f1_interval": around[label]} for label, one in block["per_class"].items()}
    return block


def short(test: str) -> str:
    """The name of a test split as the user wrote it: `unseen` for `test.unseen`."""
    return test.removeprefix("test.")
