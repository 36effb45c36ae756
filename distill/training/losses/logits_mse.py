"""The student's logits against the teacher's, as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import Field

from distill.core.objectives.objective import Objective
from distill.training.losses.term import Outputs, Term
from distill.training.objectives.row_losses import row_losses

if TYPE_CHECKING:
    from torch import Tensor


class LogitsMse(Term):
    """Mean squared difference of the logits, on rows with soft labels.

    Formula: (1/C) · Σ_c (z_s,c − z_t,c)². Centred, each row's logits have their own mean taken off first: a softmax
    does not see it, so the student need not copy it, and the gradient is twice that of `soft_cross_entropy` for T → ∞.
    Source: Ba & Caruana 2014, "Do Deep Nets Really Need to be Deep?", arXiv:1312.6184, equation 1; centred: Hinton et
        al. 2015, arXiv:1503.02531, section 2.1.
    """

    centred: bool = Field(False, description="take off each row's mean first; only where one label is given a record")

    def problem_with(self, objective: Objective) -> str | None:
        """Centred logits say less than labels need that do not compete."""
        if self.centred and not row_losses(objective).shift_free:
            return f"centred: of task.kind {objective.name} each class has a sigmoid of its own, and no logit to spare"
        return None

    def __call__(self, student: Outputs, teacher: Outputs, batch: Mapping[str, Tensor]) -> Tensor:
        """The sum ()."""
        rows = batch["has_teacher"]
        if not rows.any():
            return student.logits.new_zeros(())
        difference = student.logits[rows] - teacher.logits[rows]
        if self.centred:
            difference = difference - difference.mean(-1, keepdim=True)
        return difference.square().mean(-1).sum()
