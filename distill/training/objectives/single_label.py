"""One label per record: cross-entropy of the softmax over the classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distill.training.objectives.row_losses import RowLosses, require_softened

if TYPE_CHECKING:
    from torch import Tensor


class SingleLabelLosses(RowLosses):
    """Classes compete."""

    name = "single"
    shift_free = True

    def hard(self, logits: Tensor, target: Tensor) -> Tensor:
        """Cross-entropy against gold, one-hot or a vote distribution, for each row.

        Args: logits, target: float (B, C); rows of `target` sum to 1. Returns: float (B,).
        """
        from torch.nn import functional

        return -(target * functional.log_softmax(logits, dim=-1)).sum(-1)

    def soft(self, student_logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
        """Cross-entropy of the softened student against the softened teacher, times T², for each row.

        Formula: T² · −Σ_c softmax(z_t / T)_c · log softmax(z_s / T)_c.

        Args: student_logits, teacher_logits: float (B, C), same class order. temperature: T > 0, larger is softer.
        Returns: float (B,). Raises: ValueError when the shapes differ (the message shows both) or T ≤ 0.
        Source: Hinton et al. 2015, Distilling the Knowledge in a Neural Network, arXiv:1503.02531, section 2: gradients
            of the softened term scale as 1/T², so T² keeps its weight relative to the hard term when T changes.
        """
        from torch.nn import functional

        require_softened(student_logits, teacher_logits, temperature)
        target = functional.softmax(teacher_logits / temperature, dim=-1)
        return -(target * functional.log_softmax(student_logits / temperature, dim=-1)).sum(-1) * temperature**2
