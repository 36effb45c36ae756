"""The aim of a fit, from its config and the gold that it learns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from distill.core.label_space import LabelSpace
from distill.core.objectives.objective import FloatArray
from distill.training.config import BALANCED, TrainingConfig
from distill.training.fit_objectives.aim import Aim
from distill.training.learnt_rows import LearntRows, gold_rows


def aim_of(training: TrainingConfig, space: LabelSpace, learnt: LearntRows, records: Path) -> Aim:
    """What a fit minimises. Args: records: the artifact, whose training gold is counted where no learnt row has any."""
    shares = np.full(len(space), 1 / len(space))
    if training.objective.shared or training.class_weights == BALANCED:
        golden = learnt if learnt.has_gold[learnt.rows].any() else gold_rows(records)
        shares = golden.target[golden.rows[golden.has_gold[golden.rows]]].mean(axis=0, dtype=np.float64)
    aim = training.objective.aim(space, shares)
    return replace(aim, smoothing=training.label_smoothing, weights=_weights(training, space, shares))


def _weights(training: TrainingConfig, space: LabelSpace, shares: FloatArray) -> tuple[float, ...] | None:
    """The weight of each class, (C,); balanced ones are 1 / (C · share), so that all classes weigh the same in all."""
    if training.class_weights is None:
        return None
    if training.class_weights == BALANCED:
        least = 1 / (len(space) * np.where(shares > 0, shares, 1))
        return tuple(np.where(shares > 0, least, 0.0).tolist())
    assert isinstance(training.class_weights, dict)
    return tuple(training.class_weights.get(label, 1.0) for label in space.labels)
