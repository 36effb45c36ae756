"""The predictions of a run's models, read from their files: calibrated, with thresholds from validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from distill.core.errors import UserError
from distill.core.files import Json
from distill.core.label_space import LabelSpace
from distill.core.objectives.objective import Objective
from distill.core.predictions import Predictions, cluster_numbers, read_predictions
from distill.core.project import Quality
from distill.evaluation.calibration import fit_temperature
from distill.evaluation.class_thresholds import best_thresholds
from distill.evaluation.metrics import mixture
from distill.evaluation.operating_points import choose
from distill.evaluation.scored import Scored

VALID = "valid"
ALL = "all"
JOINED = "test+valid"
"""Test and validation rows together, where nothing was chosen on validation."""


@dataclass(frozen=True)
class Model:
    """One model of the report.

    Attributes:
        name: `8L_trunc@card`, or `8L_trunc@card.onnx-int8` for an artifact; also the folder of its predictions.
        role: `teacher`, `student`, `baseline` or `artifact`. rivals: names of the models that it is compared with.
        members: (name, weight, or weights of each class) of the models that a weighted ensemble is made of.
        temperatures: that the members' logits are divided by first; empty: by none; None: by those that validation
            gives to each.
        twin_of: of a baseline that learned the same from gold alone: the name of its student.
        made_from: of an artifact: the name of its student; of a teacher read through another view: that teacher.
        recipe_of: of the card teacher: the name of the document teacher whose preset it was trained with.
        only_measured: of a student that no export target can write. control: of a baseline that every teacher and
            student is compared with. kept_in: the figure in which it shows what it keeps of a teacher.
    """

    name: str
    role: str
    preset: str
    view: str
    layers: int | None = None
    parameters: int | None = None
    rivals: tuple[str, ...] = ()
    members: tuple[tuple[str, float | tuple[float, ...]], ...] = ()
    temperatures: tuple[float, ...] | None = ()
    twin_of: str | None = None
    made_from: str | None = None
    recipe_of: str | None = None
    only_measured: bool | None = None
    control: bool | None = None
    kept_in: str = "f1_macro"

    @property
    def mixture(self) -> Json | None:
        """What a mixture is made of, as JSON: `members`, pairs of name and weight, and `temperatures`; else None."""
        if not self.members:
            return None
        at = None if self.temperatures is None else list(self.temperatures)
        return {"members": [list(member) for member in self.members], "temperatures": at}

    @classmethod
    def mixed(cls, name: str, mixture: Mapping[str, Any]) -> Model:
        """A mixture to be read, from what `mixture` gives."""
        weights = [tuple(one) if isinstance(one, list) else one for _, one in mixture["members"]]
        members = tuple((member, weight) for (member, _), weight in zip(mixture["members"], weights, strict=True))
        at = mixture["temperatures"]
        return cls(name, "", "", "", members=members, temperatures=None if at is None else tuple(at))


@dataclass(frozen=True)
class References:
    """Names of the models that retention is measured against; `card` is None where no teacher was trained on cards."""

    document: str | None
    card: str | None

    @property
    def by_view(self) -> dict[str, str]:
        """The reference of each retention figure."""
        named = {"document": self.document, "card": self.card}
        return {view: name for view, name in named.items() if name is not None}


@dataclass
class CalibratedPredictions:
    """A model's predictions on validation, on each test split and on all, after the temperature from validation.

    Attributes: measured_valid: on validation; None where there are no such rows, and then nothing was chosen on them.
        thresholds: of the positive class by name, chosen on validation; None without such a class.
        class_thresholds: by label, chosen on validation; None where one label holds.
        valid_clusters: names of the clusters of validation rows, in their order; empty where they are not known.
    """

    measured_valid: Scored | None
    temperature: float
    thresholds: dict[str, float | None] | None
    tests: dict[str, Scored] = field(default_factory=dict)
    valid_clusters: Sequence[str] = ()
    class_thresholds: dict[str, float] | None = None

    @property
    def valid(self) -> Scored:
        """The predictions on validation. Raises: UserError where there are no validation rows."""
        if self.measured_valid is None:
            raise UserError("there are no validation rows to choose on", where="data.valid", do="name some there")
        return self.measured_valid


def read_calibrated(
    model: Model, tests: Sequence[str], predictions: Path, space: LabelSpace, settings: Quality
) -> CalibratedPredictions:
    """A model's predictions on every test split, calibrated, with what was chosen on validation.

    Without `calibrate` the temperature is 1 and there are no thresholds.

    Args: tests: none: no test file is read.
    Raises: UserError for missing or damaged predictions, and for members of an ensemble on other rows.
    """
    if model.temperatures is None:
        model = replace(model, temperatures=_validated(model, predictions, space.objective, settings))
    parts = {test: _read(model, test, predictions, space.objective) for test in tests}
    if parts:
        parts[ALL] = Predictions.joined(list(parts.values())) if len(parts) > 1 else parts[tests[0]]
    if not settings.calibrate and not _asked_on_validation(model, predictions):
        scored = _each_scored(model, parts, 1.0, space)
        return CalibratedPredictions(None, 1.0, None, scored)
    valid = _read(model, VALID, predictions, space.objective)
    temperature = fit_temperature(valid.logits, valid.target, space.objective) if settings.calibrate else 1.0
    if parts and VALID in settings.test:
        parts[JOINED] = Predictions.joined([parts[ALL], valid])
    scored = _each_scored(model, parts, temperature, space)
    own = _scored(model, valid, temperature, space)
    if not settings.calibrate:
        return CalibratedPredictions(own, temperature, None, scored, valid.clusters)
    thresholds, by_class = _thresholds(own, settings), _class_thresholds(own)
    return CalibratedPredictions(own, temperature, thresholds, scored, valid.clusters, by_class)


def _asked_on_validation(model: Model, predictions: Path) -> bool:
    """Whether a model, or one that it is made of, has predictions on validation rows."""
    names = [name for name, _ in model.members] or [model.name]
    return any((predictions / name / f"{VALID}.parquet").exists() for name in names)


def _each_scored(
    model: Model, parts: Mapping[str, Predictions], temperature: float, space: LabelSpace
) -> dict[str, Scored]:
    """By part; one test is all of them too, and held once."""
    once = {id(part): part for part in parts.values()}
    scored = {key: _scored(model, part, temperature, space) for key, part in once.items()}
    return {name: scored[id(part)] for name, part in parts.items()}


def _scored(model: Model, part: Predictions, temperature: float, space: LabelSpace) -> Scored:
    return Scored(
        name=model.name,
        space=space,
        ids=part.ids,
        logits=part.logits / temperature,
        target=part.target,
        slices=part.slices if any(part.slices) else None,
        clusters=cluster_numbers(part),
    )


def _thresholds(valid: Scored, settings: Quality) -> dict[str, float | None] | None:
    if valid.space.positive_index is None:
        return None
    return choose(*valid.positive(), settings.precision_at_least, settings.recall_at_least)


def _class_thresholds(valid: Scored) -> dict[str, float] | None:
    objective = valid.space.objective
    gold = objective.gold_decisions(np.asarray(valid.target, np.float64))
    return best_thresholds(objective.probabilities(valid.logits), gold, valid.space)


def _validated(model: Model, predictions: Path, objective: Objective, settings: Quality) -> tuple[float, ...]:
    """The temperature that validation gives to each member of an ensemble; none where nothing is calibrated."""
    if not settings.calibrate:
        return ()
    parts = [read_predictions(predictions / name / f"{VALID}.parquet") for name, _ in model.members]
    return tuple(fit_temperature(part.logits, part.target, objective) for part in parts)


def _read(model: Model, split: str, predictions: Path, objective: Objective) -> Predictions:
    if not model.members:
        return read_predictions(predictions / model.name / f"{split}.parquet")
    parts = [read_predictions(predictions / name / f"{split}.parquet") for name, _ in model.members]
    if any(part.ids != parts[0].ids for part in parts):
        names = ", ".join(name for name, _ in model.members)
        raise UserError("the models of an ensemble were scored on other rows", where=f"{names}: {split}")
    temperatures = model.temperatures or (1.0,) * len(parts)
    scaled = [part.logits / temperature for part, temperature in zip(parts, temperatures, strict=True)]
    logits = mixture(scaled, [weight for _, weight in model.members], objective)
    return replace(parts[0], logits=logits.astype(np.float32))
