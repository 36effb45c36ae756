"""What a fit minimises: how its head reads gold and soft labels, and what its outputs say of the task's classes.

Shapes: B rows of a batch, N rows of validation, C classes, K outputs of the head while it is trained.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from distill.core.files import Json
from distill.core.objectives.objective import FloatArray, Objective
from distill.evaluation.metrics import prior_logits

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Affine:
    """The logits that a head of K outputs is folded into: `y · slopesᵀ + offsets`.

    Attributes: slopes: float64 (C, K). offsets: float64 (C,).
    """

    slopes: FloatArray
    offsets: FloatArray

    def __call__(self, outputs: NDArray[np.floating[Any]]) -> Floats:
        """Logits (N, C) of outputs (N, K)."""
        return np.asarray(np.asarray(outputs, np.float64) @ self.slopes.T + self.offsets, np.float32)


@dataclass(frozen=True)
class Folded:
    """How a fitted head becomes one of the task's classes. Attributes: figures: what is told of it."""

    affine: Affine
    figures: Json


@dataclass(frozen=True)
class Aim:
    """The task's own objective: one output for each of its logits, gold and soft labels as they are.

    Attributes:
        task: what the task asks, by which a fit is judged. head: what the outputs are trained by. outputs: K.
        smoothing: share of gold that is spread over all outputs. weights: of a row with gold, by its class, (C,).
    """

    task: Objective
    head: Objective
    outputs: int
    smoothing: float = 0.0
    weights: tuple[float, ...] | None = None

    @classmethod
    def plain(cls, objective: Objective, classes: int) -> Aim:
        """That of a task of C classes."""
        return cls(objective, objective, objective.head_size(classes))

    @property
    def folds(self) -> bool:
        """Whether the outputs are others than the task's logits."""
        return self.served is not None

    @property
    def served(self) -> Affine | None:
        """By which the outputs are judged while the head is trained; None: they are the task's logits."""
        return None

    def logits(self, outputs: Floats) -> Floats:
        """The task's logits (N, K of the task) of outputs (N, K), by `served`."""
        return outputs if self.served is None else self.served(outputs)

    def constant(self, shares: Floats) -> Floats:
        """The outputs (K,) that a fit learns where they are the same for all rows. Args: shares: of the classes (C,).

        Runs begin there. A class with another `served` says which ones they are.
        """
        return np.asarray(prior_logits(shares, self.task), np.float32)

    def folded(self, outputs: Floats, target: Floats) -> Folded | None:
        """What the fitted head is folded by, chosen on validation alone; None: it is the task's as it is.

        Args: outputs: (N, K), target: (N, C), of the validation rows.
        """
        return None

    def gold(self, target: Tensor) -> Tensor:
        """What the outputs should be (B, K) by gold (B, C), before smoothing."""
        return target

    def taught(self, logits: Tensor) -> Tensor:
        """What the outputs should be (B, K) by a teacher's logits for the task's classes."""
        return logits

    def gold_weight(self, target: Tensor) -> Tensor | None:
        """What the loss against gold (B, C) is multiplied by, (B,); None where all classes weigh the same."""
        return None if self.weights is None else target @ target.new_tensor(self.weights)
