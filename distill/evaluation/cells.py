"""The models of several runs beside each other: their figures on validation and on test, and how they differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from distill.core.files import Json
from distill.core.label_space import LabelSpace
from distill.core.project import Quality
from distill.evaluation.bootstrap import Bootstrap
from distill.evaluation.calibrated_predictions import ALL, Model, read_calibrated
from distill.evaluation.direction import sign
from distill.evaluation.holm import corrected
from distill.evaluation.metrics import FloatArray
from distill.evaluation.over_seeds import Seeded, comparison
from distill.evaluation.scored import Scored
from distill.evaluation.statistics import difference

VALID, TEST = "valid", "test"
LOSS = "log_loss"


@dataclass(frozen=True)
class Answers:
    """Where one run has its model's predictions. Attributes: label: of the model. folders: of each seed."""

    label: str
    tests: tuple[str, ...]
    folders: tuple[Path, ...]


@dataclass(frozen=True)
class Scale:
    """How models are measured. Attributes: seed: of the resamples."""

    space: LabelSpace
    quality: Quality
    seed: int

    @property
    def metrics(self) -> list[str]:
        """The project's metric, and log loss."""
        return list(dict.fromkeys((self.quality.metric, LOSS)))


def on_validation(cells: Mapping[str, Answers], scale: Scale) -> dict[str, Seeded]:
    """Each cell's model on validation; no file of test predictions is read. Cells of equal rows share the resamples."""
    return _seeded({name: _read(one, (), scale, VALID) for name, one in cells.items()}, scale)


def on_test(cells: Mapping[str, Answers], scale: Scale) -> dict[str, Seeded]:
    """Each cell's model on all test rows, calibrated on validation."""
    return _seeded({name: _read(one, one.tests, scale, TEST) for name, one in cells.items()}, scale)


def best(models: Mapping[str, Seeded], metric: str) -> str:
    """The model with the best mean of a metric; of equal ones that with the lower log loss, then the first."""
    return max(models, key=lambda name: (sign(metric) * _mean(models[name], metric), -_mean(models[name], LOSS)))


def figures(model: Seeded, scale: Scale) -> Json:
    """`rows`, and `{"value", "low", "high"}` by metric."""
    return {"rows": len(model.scored[0]), **{name: model.metric(name).mean() for name in scale.metrics}}


def over(models: Mapping[str, Seeded], lead: str, scale: Scale) -> dict[str, Json]:
    """Each other model minus one of them, by metric, with p-values corrected over all of them.

    Paired where both have the same rows; of other rows the difference of two independent samples.
    """
    pairs = [(name, metric) for name in models if name != lead for metric in scale.metrics]
    rows = corrected([_difference(models[name], models[lead], metric) for name, metric in pairs])
    found: dict[str, Json] = {name: {} for name in models if name != lead}
    for (name, metric), row in zip(pairs, rows, strict=True):
        found[name][metric] = {
            key: row[key] for key in ("difference", "low", "high", "p_value", "p_holm", "paired") if key in row
        }
    return found


def _difference(one: Seeded, other: Seeded, metric: str) -> Json:
    if one.bootstrap is other.bootstrap:
        return {**comparison(one, other, metric), "paired": True}
    a, b = one.metric(metric), other.metric(metric)
    gaps: FloatArray = a.replicates() - b.replicates(stream=1)
    found = difference(float(a.values.mean() - b.values.mean()), gaps)
    return {**found, "evidence": found["p_value"], "paired": False}


def _read(one: Answers, tests: Sequence[str], scale: Scale, split: str) -> list[Scored]:
    model = Model(one.label, "", "", "")
    read = [read_calibrated(model, tests, folder, scale.space, scale.quality) for folder in one.folders]
    return [found.valid if split == VALID else found.tests[ALL] for found in read]


def _seeded(scored: Mapping[str, list[Scored]], scale: Scale) -> dict[str, Seeded]:
    """Args: scored: of each model, by seed."""
    draws: list[tuple[Scored, Bootstrap]] = []
    return {name: Seeded(one, _shared(one[0], draws, scale)) for name, one in scored.items()}


def _shared(lead: Scored, draws: list[tuple[Scored, Bootstrap]], scale: Scale) -> Bootstrap:
    """The resamples of these rows, made once; those of other rows are independent of them."""
    known = next((made for rows, made in draws if _are_equal(rows, lead)), None)
    if known is None:
        seed = (scale.seed, len(draws)) if draws else scale.seed
        known = lead.bootstrap(scale.quality.replicates, seed)
        draws.append((lead, known))
    return known


def _are_equal(one: Scored, other: Scored) -> bool:
    return list(one.ids) == list(other.ids) and np.array_equal(one.target, other.target)


def _mean(model: Seeded, metric: str) -> float:
    return float(model.metric(metric).values.mean())


def cell_figures(
    valid: Mapping[str, Seeded], test: Mapping[str, Seeded], lead: str, scale: Scale
) -> Iterator[tuple[str, Json]]:
    """Name of each cell, and its figures on both splits with their differences to the lead's, by split."""
    apart = {VALID: over(valid, lead, scale), TEST: over(test, lead, scale) if lead in test else {}}
    for name in valid:
        yield (
            name,
            {
                VALID: figures(valid[name], scale),
                TEST: figures(test[name], scale) if name in test else None,
                "over": {split: apart[split][name] for split in apart if name in apart[split]},
            },
        )
