"""The student's softened predictions against the teacher's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import Field, PositiveFloat

from distill.training.losses.term import Outputs, Term

if TYPE_CHECKING:
    from torch import Tensor


class SoftCrossEntropy(Term):
    """T² times the cross-entropy of softened predictions, on rows with soft labels; for `multi`, per class."""

    temperature: PositiveFloat = Field(2.0, description="T; larger is softer")

    def __call__(self, student: Outputs, teacher: Outputs, batch: Mapping[str, Tensor]) -> Tensor:
        """The sum () of `soft_cross_entropy`, or for `multi` of `soft_binary_cross_entropy`."""
        rows = batch["has_teacher"]
        if not rows.any():
            return student.logits.new_zeros(())
        soft = soft_cross_entropy if student.kind == "single" else soft_binary_cross_entropy
        return soft(student.logits[rows], teacher.logits[rows], self.temperature).sum()


def soft_cross_entropy(student_logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """Cross-entropy of the softened student against the softened teacher, times T², for each row.

    Formula: T² · −Σ_c softmax(z_t / T)_c · log softmax(z_s / T)_c.

    Args: student_logits, teacher_logits: float (B, C), same class order. temperature: T > 0, larger is softer.
    Returns: float (B,). Raises: ValueError when the shapes differ (the message shows both) or T ≤ 0.
    Source: Hinton et al. 2015, Distilling the Knowledge in a Neural Network, arXiv:1503.02531, section 2: gradients of
        the softened term scale as 1/T², so T² keeps its weight relative to the hard term when T changes.
    """
    from torch.nn import functional

    _check(student_logits, teacher_logits, temperature)
    target = functional.softmax(teacher_logits / temperature, dim=-1)
    return -(target * functional.log_softmax(student_logits / temperature, dim=-1)).sum(-1) * temperature**2


def soft_binary_cross_entropy(student_logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """Binary cross-entropy of each class's softened sigmoid, times T², mean over classes, for each row.

    The multi-label counterpart of `soft_cross_entropy`: classes do not compete, so each has a sigmoid of its own.

    Args: student_logits, teacher_logits: float (B, C). temperature: T > 0.
    Returns: float (B,). Raises: ValueError when the shapes differ or T ≤ 0.
    """
    from torch.nn import functional

    _check(student_logits, teacher_logits, temperature)
    target = (teacher_logits / temperature).sigmoid()
    loss = functional.binary_cross_entropy_with_logits(student_logits / temperature, target, reduction="none")
    return loss.mean(-1) * temperature**2


def _check(student: Tensor, teacher: Tensor, temperature: float) -> None:
    if student.shape != teacher.shape:
        raise ValueError(f"student logits {tuple(student.shape)} and teacher logits {tuple(teacher.shape)} differ")
    if not temperature > 0:
        raise ValueError(f"temperature must be > 0, found {temperature}")
