"""What the models of a run answered, read from prediction files: calibrated, with thresholds from validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.core.calibration import fit_temperature
from distill.core.errors import UserError
from distill.core.label_space import LabelSpace
from distill.core.metrics import gold_decisions, probabilities
from distill.core.operating_points import choose
from distill.core.predictions import Predictions, read_predictions
from distill.core.project import Quality
from distill.core.quality import Scored

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

    @property
    def by_view(self) -> dict[str, str]:
        """The reference of each retention figure."""
        return {"document": self.document, "card": self.card}


@dataclass
class Answers:
    """A model's calibrated answers: one Scored per test split and one over all, and what was chosen on validation."""

    temperature: float
    points: dict[str, float | None] | None
    tests: dict[str, Scored] = field(default_factory=dict)


def read_answers(
    model: Model, tests: Sequence[str], predictions: Path, space: LabelSpace, settings: Quality
) -> Answers:
    """A model's answers on every test split, calibrated, with what was chosen on validation.

    Raises: UserError for missing or damaged predictions, and for members of an ensemble on other rows.
    """
    valid = _read(model, VALID, predictions, space.kind)
    temperature = fit_temperature(valid.logits, valid.target, space.kind)
    result = Answers(temperature, _points(valid, temperature, space, settings))
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
