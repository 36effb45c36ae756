"""The student's softened predictions against the teacher's, as a divergence that ends at 0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import Field

from distill.training.losses.term import Outputs, Term
from distill.training.objectives.row_losses import row_losses
from distill.training.ramp import Temperature, fixed

if TYPE_CHECKING:
    from torch import Tensor


class Kl(Term):
    """T² · KL(teacher ‖ student) of softened predictions, on rows with soft labels.

    Formula: T² · Σ_c p_c · log(p_c / q_c), p = softmax(z_t / T), q = softmax(z_s / T); for several labels the mean over
    classes of the same between sigmoids. It is the soft cross-entropy less the teacher's own entropy, which no weight
    of the student moves: the gradient is that of `soft_cross_entropy`, so they train the same student. This one is 0
    where the student equals its teacher.
    Source: Hinton et al. 2015, arXiv:1503.02531, section 2.
    """

    temperature: Temperature = Field(2.0, description="T, or a ramp; larger is softer")

    def __call__(self, student: Outputs, teacher: Outputs, batch: Mapping[str, Tensor]) -> Tensor:
        """The sum ()."""
        rows = batch["has_teacher"]
        if not rows.any():
            return student.logits.new_zeros(())
        soft, temperature = row_losses(student.objective).soft, fixed(self.temperature)
        ours, theirs = student.logits[rows], teacher.logits[rows]
        return (soft(ours, theirs, temperature) - soft(theirs, theirs, temperature)).sum()
