"""One value per record: the squared error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distill.training.objectives.row_losses import RowLosses, require_softened

if TYPE_CHECKING:
    from torch import Tensor


class RegressionLosses(RowLosses):
    """Outputs on a scale, mean over them where there are several."""

    name = "regression"

    def hard(self, logits: Tensor, target: Tensor) -> Tensor:
        """(y − v)² for each row: float (B, K) twice → float (B,)."""
        return (logits - target).square().mean(-1)

    def soft(self, student_logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
        """The same against a teacher's value, whatever the temperature: a value has none.

        Args: student_logits, teacher_logits: float (B, K). temperature: T > 0.
        Returns: float (B,). Raises: ValueError when the shapes differ or T ≤ 0.
        """
        require_softened(student_logits, teacher_logits, temperature)
        return self.hard(student_logits, teacher_logits)
