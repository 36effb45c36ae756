"""Every quality figure of a run, from its prediction files alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.core.calibration import fit_temperature
from distill.core.errors import UserError
from distill.core.label_space import LabelSpace
from distill.core.metrics import gold_decisions, probabilities
from distill.core.operating_points import choose
from distill.core.predictions import Predictions, read_predictions
from distill.core.progress import progress
from distill.core.project import Quality
from distill.core.quality import Scored, comparison, quality, require_same_rows, retention
from distill.core.statistics import Bootstrap

VALID = "valid"
ALL = "all"


@dataclass(frozen=True)
class Model:
    """One model of the report.

    Attributes:
        name: `8L_trunc@card`, or `8L_trunc@card.onnx-int8` for an artifact; also the folder of its predictions.
        role: `teacher`, `student`, `baseline` or `artifact`. rivals: names of the models that it is compared with.
        members: (name, weight) of the models that a weighted ensemble is made of.
    """

    name: str
    role: str
    preset: str
    view: str
    layers: int | None = None
    parameters: int | None = None
    rivals: tuple[str, ...] = ()
    members: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class References:
    """Names of the models that retention is measured against."""

    document: str
    card: str


@dataclass
class _Answers:
    """A model's calibrated answers: one Scored per test split and one over all, and what was chosen on validation."""

    temperature: float
    points: dict[str, float | None] | None
    tests: dict[str, Scored] = field(default_factory=dict)


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
    answers = {model.name: _answers(model, tests, predictions, space, settings) for model in models}
    first = next(iter(answers.values())).tests
    for answer in answers.values():
        require_same_rows(first[ALL], answer.tests[ALL])
    draws = {name: Bootstrap(len(scored), scored.clusters, settings.replicates, seed) for name, scored in first.items()}
    with progress("resampling", len(models)) as advance:
        described = []
        for index, model in enumerate(models):
            described.append(_describe(model, answers, references, draws))
            advance(index + 1)
    comparisons = [
        comparison(answers[model.name].tests[ALL], answers[rival].tests[ALL], metric, draws[ALL])
        for model in models
        for rival in model.rivals
        for metric in _metrics(space)
    ]
    return {"tests": [_short(test) for test in tests], "models": described, "comparisons": comparisons}


def compare_models(
    a: str, b: str, tests: Sequence[str], predictions: Path, space: LabelSpace, settings: Quality, seed: int
) -> list[dict[str, Any]]:
    """The paired differences a − b over all test rows, one entry for each metric; arguments as in `evaluate`."""
    models = [Model(name, "", "", "") for name in (a, b)]
    first, second = (_answers(model, tests, predictions, space, settings).tests[ALL] for model in models)
    bootstrap = Bootstrap(len(first), first.clusters, settings.replicates, seed)
    return [comparison(first, second, metric, bootstrap) for metric in _metrics(space)]


def _metrics(space: LabelSpace) -> list[str]:
    return ["accuracy", "f1_macro", "log_loss", *(["f1_positive"] if space.positive else [])]


def _describe(
    model: Model, answers: dict[str, _Answers], references: References, draws: dict[str, Bootstrap]
) -> dict[str, Any]:
    own = answers[model.name]
    figures = {name: quality(scored, own.points, draws[name]) for name, scored in own.tests.items()}
    kept = None
    if model.role != "teacher":
        kept = {
            view: retention(own.tests[ALL], answers[reference].tests[ALL], draws[ALL])
            for view, reference in (("document", references.document), ("card", references.card))
        }
    return {
        "name": model.name,
        "role": model.role,
        "preset": model.preset,
        "view": model.view,
        "layers": model.layers,
        "parameters": model.parameters,
        "temperature": own.temperature,
        "thresholds": own.points,
        "quality": figures.pop(ALL),
        "tests": {_short(name): block for name, block in figures.items()},
        "retention": kept,
    }


def _answers(model: Model, tests: Sequence[str], predictions: Path, space: LabelSpace, settings: Quality) -> _Answers:
    valid = _read(model, VALID, predictions, space.kind)
    temperature = fit_temperature(valid.logits, valid.target, space.kind)
    result = _Answers(temperature, _points(valid, temperature, space, settings))
    parts = [_read(model, test, predictions, space.kind) for test in tests]
    for name, part in [*zip(tests, parts, strict=True), (ALL, _concatenate(parts))]:
        result.tests[name] = Scored(
            name=model.name,
            space=space,
            ids=part.ids,
            logits=part.logits / temperature,
            target=part.target,
            slices=part.slices if any(part.slices) else None,
            clusters=_numbers(part.clusters),
        )
    return result


def _points(
    valid: Predictions, temperature: float, space: LabelSpace, settings: Quality
) -> dict[str, float | None] | None:
    index = space.positive_index
    if index is None:
        return None
    chances = probabilities(valid.logits / temperature, space.kind)[:, index]
    gold = gold_decisions(valid.target.astype(np.float64), space.kind)[:, index]
    return choose(chances, gold, settings.precision_at_least, settings.recall_at_least)


def _read(model: Model, split: str, predictions: Path, kind: str) -> Predictions:
    if not model.members:
        return read_predictions(predictions / model.name / f"{split}.parquet")
    parts = [read_predictions(predictions / name / f"{split}.parquet") for name, _ in model.members]
    if any(part.ids != parts[0].ids for part in parts):
        names = ", ".join(name for name, _ in model.members)
        raise UserError("the models of an ensemble were scored on other rows", where=f"{names}: {split}")
    weights = np.array([weight for _, weight in model.members])
    mean = np.einsum("m,mnc->nc", weights / weights.sum(), np.stack([probabilities(p.logits, kind) for p in parts]))
    mean = np.clip(mean, 1e-12, 1 - 1e-12)
    logits = np.log(mean) - (np.log1p(-mean) if kind == "multi" else 0)
    return Predictions(parts[0].ids, logits.astype(np.float32), parts[0].target, parts[0].slices, parts[0].clusters)


def _concatenate(parts: Sequence[Predictions]) -> Predictions:
    return Predictions(
        ids=[value for part in parts for value in part.ids],
        logits=np.concatenate([part.logits for part in parts]),
        target=np.concatenate([part.target for part in parts]),
        slices=[value for part in parts for value in part.slices],
        clusters=[value for part in parts for value in part.clusters],
    )


def _numbers(clusters: Sequence[str]) -> NDArray[np.int64]:
    return np.unique(np.asarray(clusters, dtype=object).astype(str), return_inverse=True)[1].astype(np.int64)


def _short(test: str) -> str:
    return test.removeprefix("test.")
