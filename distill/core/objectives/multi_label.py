"""Any number of labels per record: a sigmoid for each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from distill.core.activations import sigmoid
from distill.core.objectives.objective import BoolArray, FloatArray, Floats, Objective, Target


@dataclass(frozen=True)
class MultiLabel(Objective):
    """Classes do not compete: each is predicted from a probability of 0.5 on."""

    name = "multi"
    problem_type = "multi_label_classification"
    activation = "sigmoid"
    several = True
    rule = "a probability of 0.5 for each label"

    def probabilities(self, logits: ArrayLike) -> FloatArray:
        """A sigmoid per class."""
        return sigmoid(logits)

    def logits(self, probabilities: ArrayLike, least: float = 1e-12) -> FloatArray:
        """Log(p / (1 − p))."""
        clipped = np.clip(np.asarray(probabilities, np.float64), least, 1 - least)
        logits: FloatArray = np.log(clipped) - np.log1p(-clipped)
        return logits

    def decisions(self, logits: Floats) -> BoolArray:
        """Every class with p ≥ 0.5."""
        return np.asarray(logits >= 0)

    def gold_decisions(self, target: Floats) -> BoolArray:
        """Every class with a share ≥ 0.5."""
        return np.asarray(target >= 0.5)

    def row_log_loss(self, logits: FloatArray, target: FloatArray) -> FloatArray:
        """The mean of the C binary cross-entropies."""
        return np.asarray((np.logaddexp(0.0, logits) - target * logits).mean(axis=1))

    def confidence(self, probabilities: FloatArray) -> FloatArray:
        """Max(p, 1 − p): C decisions a row, one yes or no for each class."""
        return np.maximum(probabilities, 1 - probabilities)

    def correct(self, predicted: BoolArray, gold: BoolArray) -> BoolArray:
        """Whether each yes or no is the gold one, (N, C)."""
        return np.asarray(predicted == gold)

    def vote_target(self, votes: Target) -> Target:
        """The votes as they are. Raises: ValueError for one above 1."""
        if (votes > 1).any():
            raise ValueError("in a multi-label task a vote is a share between 0 and 1")
        return votes

    def gold_classes(self, target: Target) -> list[int]:
        """Every class with a share ≥ 0.5, as its gold decisions."""
        return [index for index, holds in enumerate(self.gold_decisions(target)) if holds]

    def gold_answer(self, target: Target) -> bytes:
        """The shares of all classes."""
        return target.tobytes()

    def answer(self, decision: BoolArray, labels: Sequence[str]) -> str:
        """That the rows share their labels, whichever they are."""
        return "the same labels"
