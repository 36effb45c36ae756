"""Logits of all classes that tell one class from the rest and nothing within the rest, judged as that yes or no."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from distill.core.activations import log_softmax
from distill.core.objectives.objective import BoolArray, FloatArray, Floats
from distill.core.objectives.single_label import SingleLabel


@dataclass(frozen=True)
class PositiveAlone(SingleLabel):
    """One label per record, of which a model knows whether it is the positive one.

    The other logits are the logs of shares in the training rows. Log loss, calibration and decisions of all classes
    would reward a temperature that fits these shares to other rows, at the cost of the positive class's probability.

    Attributes: positive: its place among the classes.
    """

    positive: int = 0

    def decisions(self, logits: Floats) -> BoolArray:
        """The positive class from a probability of 0.5 on, else the likeliest of the rest."""
        own = np.arange(logits.shape[1]) == self.positive
        held = self.probabilities(logits)[:, [self.positive]] >= 0.5
        return np.where(held, own, super().decisions(np.where(own, -np.inf, logits)))

    def row_log_loss(self, logits: FloatArray, target: FloatArray) -> FloatArray:
        """−t · log p − (1 − t) · log(1 − p), where p is the positive class's softmax and t its gold."""
        chances, gold = log_softmax(logits), target[:, self.positive]
        rest = np.delete(chances, self.positive, axis=1)
        log_rest = np.logaddexp.reduce(rest, axis=1)
        return np.asarray(-(gold * chances[:, self.positive] + (1 - gold) * log_rest))

    def confidence(self, probabilities: FloatArray) -> FloatArray:
        """Max(p, 1 − p) of the positive class: one decision a row."""
        own = probabilities[:, [self.positive]]
        return np.maximum(own, 1 - own)

    def correct(self, predicted: BoolArray, gold: BoolArray) -> BoolArray:
        """Whether the yes or no is the gold one, (N, 1)."""
        return np.asarray(predicted[:, [self.positive]] == gold[:, [self.positive]])
