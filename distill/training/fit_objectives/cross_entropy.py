"""The loss of the task's own kind: cross-entropy of the softmax, or of a sigmoid for each class."""

from __future__ import annotations

from distill.training.fit_objectives.fit_objective import FitObjective


class CrossEntropy(FitObjective):
    """An output for each class; the losses are those of `task.kind`."""
