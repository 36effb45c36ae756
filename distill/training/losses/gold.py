"""The student's predictions against gold labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from distill.training.losses.term import Outputs, Term
from distill.training.objectives.row_losses import row_losses

if TYPE_CHECKING:
    from torch import Tensor


class Gold(Term):
    """The objective's loss against gold, on rows that have it, times the weight of its class where classes have one."""

    def __call__(self, student: Outputs, teacher: Outputs, batch: Mapping[str, Tensor]) -> Tensor:
        """The sum () of the objective's `hard`, each row times its `gold_weight` where the batch has that."""
        rows = batch["has_gold"]
        if not rows.any():
            return student.logits.new_zeros(())
        loss = row_losses(student.objective).hard(student.logits[rows], batch["target"][rows])
        weight = batch.get("gold_weight")
        return (loss if weight is None else loss * weight[rows]).sum()
