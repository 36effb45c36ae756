"""One label per record: a softmax over the classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from distill.core.activations import log_softmax, softmax
from distill.core.objectives.objective import BoolArray, FloatArray, Floats, Objective, Target


@dataclass(frozen=True)
class SingleLabel(Objective):
    """Classes compete: the one with the largest logit is predicted."""

    name = "single"
    problem_type = "single_label_classification"
    activation = "softmax"
    several = False
    rule = "the most probable class"

    def probabilities(self, logits: ArrayLike) -> FloatArray:
        """The softmax over the classes."""
        return softmax(logits)

    def logits(self, probabilities: ArrayLike, least: float = 1e-12) -> FloatArray:
        """Log p."""
        logits: FloatArray = np.log(np.clip(np.asarray(probabilities, np.float64), least, 1 - least))
        return logits

    def decisions(self, logits: Floats) -> BoolArray:
        """The argmax, first of equals."""
        return _is_argmax(logits)

    def gold_decisions(self, target: Floats) -> BoolArray:
        """The argmax of the votes, first of equals."""
        return _is_argmax(target)

    def row_log_loss(self, logits: FloatArray, target: FloatArray) -> FloatArray:
        """−Σ_c t_c · log softmax(z)_c."""
        return np.asarray(-(target * log_softmax(logits)).sum(axis=1))

    def confidence(self, probabilities: FloatArray) -> FloatArray:
        """The largest probability: one decision a row."""
        return np.asarray(probabilities.max(axis=1, keepdims=True))

    def correct(self, predicted: BoolArray, gold: BoolArray) -> BoolArray:
        """Whether the predicted class is the gold one, (N, 1)."""
        return np.asarray((predicted & gold).any(axis=1, keepdims=True))

    def vote_target(self, votes: Target) -> Target:
        """The votes as shares that sum to 1. Raises: ValueError when they sum to 0."""
        total = votes.sum()
        if not total > 0:
            raise ValueError("the votes sum to 0")
        return np.asarray(votes / total)

    def gold_classes(self, target: Target) -> list[int]:
        """The most voted class, first of equals."""
        return [int(target.argmax())]

    def gold_answer(self, target: Target) -> int:
        """The most voted class, first of equals."""
        return int(target.argmax())

    def answer(self, decision: BoolArray, labels: Sequence[str]) -> str:
        """The label."""
        return labels[int(decision.argmax())]


SINGLE = SingleLabel()


def _is_argmax(values: Floats) -> BoolArray:
    best: BoolArray = np.arange(values.shape[1]) == values.argmax(axis=1)[:, None]
    return best
