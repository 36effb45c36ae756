"""The student's softened predictions against the teacher's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import Field

from distill.training.losses.term import Outputs, Term
from distill.training.objectives.row_losses import row_losses
from distill.training.ramp import Temperature, fixed

if TYPE_CHECKING:
    from torch import Tensor


class SoftCrossEntropy(Term):
    """T² times the objective's cross-entropy of softened predictions, on rows with soft labels."""

    temperature: Temperature = Field(2.0, description="T, or a ramp; larger is softer")

    def __call__(self, student: Outputs, teacher: Outputs, batch: Mapping[str, Tensor]) -> Tensor:
        """The sum () of the objective's `soft`."""
        rows = batch["has_teacher"]
        if not rows.any():
            return student.logits.new_zeros(())
        temperature = fixed(self.temperature)
        return row_losses(student.objective).soft(student.logits[rows], teacher.logits[rows], temperature).sum()
