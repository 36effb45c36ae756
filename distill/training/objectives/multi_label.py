"""Any number of labels per record: binary cross-entropy of a sigmoid for each class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distill.training.objectives.row_losses import RowLosses, require_softened

if TYPE_CHECKING:
    from torch import Tensor


class MultiLabelLosses(RowLosses):
    """Classes do not compete."""

    name = "multi"

    def hard(self, logits: Tensor, target: Tensor) -> Tensor:
        """Binary cross-entropy against 0/1 gold, mean over classes, for each row: float (B, C) twice → float (B,)."""
        from torch.nn import functional

        return functional.binary_cross_entropy_with_logits(logits, target, reduction="none").mean(-1)

    def soft(self, student_logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
        """Binary cross-entropy of each class's softened sigmoid, times T², mean over classes, for each row.

        The counterpart of the single-label loss: each class has a sigmoid of its own.

        Args: student_logits, teacher_logits: float (B, C). temperature: T > 0.
        Returns: float (B,). Raises: ValueError when the shapes differ or T ≤ 0.
        """
        from torch.nn import functional

        require_softened(student_logits, teacher_logits, temperature)
        target = (teacher_logits / temperature).sigmoid()
        loss = functional.binary_cross_entropy_with_logits(student_logits / temperature, target, reduction="none")
        return loss.mean(-1) * temperature**2

    def smoothed(self, target: Tensor, share: float) -> Tensor:
        """Gold (B, C) of which a share is spread evenly over the yes and the no of each class: t·(1 − ε) + ε/2."""
        return target * (1 - share) + share / 2
