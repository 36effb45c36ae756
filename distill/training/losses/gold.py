"""The student's predictions against gold labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from distill.training.losses.term import Outputs, Term

if TYPE_CHECKING:
    from torch import Tensor


class Gold(Term):
    """Cross-entropy against gold, on rows that have it: one-hot, a vote distribution, or for `multi` 0/1 per class."""

    def __call__(self, student: Outputs, teacher: Outputs, batch: Mapping[str, Tensor]) -> Tensor:
        """The sum () of `hard_cross_entropy`, or for `multi` of `hard_binary_cross_entropy`."""
        rows = batch["has_gold"]
        if not rows.any():
            return student.logits.new_zeros(())
        hard = hard_cross_entropy if student.kind == "single" else hard_binary_cross_entropy
        return hard(student.logits[rows], batch["target"][rows]).sum()


def hard_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy against gold, one-hot or a vote distribution, for each row.

    Args: logits, target: float (B, C); rows of `target` sum to 1. Returns: float (B,).
    """
    from torch.nn import functional

    return -(target * functional.log_softmax(logits, dim=-1)).sum(-1)


def hard_binary_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy against 0/1 gold, mean over classes, for each row: float (B, C) twice → float (B,)."""
    from torch.nn import functional

    return functional.binary_cross_entropy_with_logits(logits, target, reduction="none").mean(-1)
