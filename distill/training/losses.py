"""The losses of distillation, as functions of logits.

A batch mixes rows with soft labels, rows with gold, and rows with both. Every row adds its own terms and the sum is
divided by the number of rows, so a row weighs the same whatever stands beside it, and a batch without gold is no
special case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


def soft_cross_entropy(student_logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """Cross-entropy of the softened student against the softened teacher, times T², for each row.

    Formula: T² · −Σ_c softmax(z_t / T)_c · log softmax(z_s / T)_c.

    Args: student_logits, teacher_logits: float (B, C), same class order. temperature: T > 0, larger is softer.
    Returns: float (B,). Raises: ValueError when the shapes differ (the message shows both) or T ≤ 0.
    Source: Hinton et al. 2015, Distilling the Knowledge in a Neural Network, arXiv:1503.02531, section 2: gradients of
        the softened term scale as 1/T², so T² keeps its weight beside the hard term when T changes.
    """
    _check(student_logits, teacher_logits, temperature)
    target = functional.softmax(teacher_logits / temperature, dim=-1)
    return -(target * functional.log_softmax(student_logits / temperature, dim=-1)).sum(-1) * temperature**2


def soft_binary_cross_entropy(student_logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """Binary cross-entropy of each class's softened sigmoid, times T², mean over classes, for each row.

    The multi-label counterpart of `soft_cross_entropy`: classes do not compete, so each has a sigmoid of its own.

    Args: student_logits, teacher_logits: float (B, C). temperature: T > 0.
    Returns: float (B,). Raises: ValueError when the shapes differ or T ≤ 0.
    """
    _check(student_logits, teacher_logits, temperature)
    target = torch.sigmoid(teacher_logits / temperature)
    loss = functional.binary_cross_entropy_with_logits(student_logits / temperature, target, reduction="none")
    return loss.mean(-1) * temperature**2


def hard_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy against gold, one-hot or a vote distribution, for each row.

    Args: logits, target: float (B, C); rows of `target` sum to 1. Returns: float (B,).
    """
    return -(target * functional.log_softmax(logits, dim=-1)).sum(-1)


def hard_binary_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy against 0/1 gold, mean over classes, for each row: float (B, C) twice → float (B,)."""
    return functional.binary_cross_entropy_with_logits(logits, target, reduction="none").mean(-1)


@dataclass(frozen=True)
class DistillationLoss:
    """mean over rows of  [has soft labels] · T²-scaled soft cross-entropy  +  α · [has gold] · hard cross-entropy.

    Attributes:
        temperature: T of the soft term. alpha: weight α of the hard term. kind: `single` or `multi`.
    """

    temperature: float = 1.0
    alpha: float = 1.0
    kind: str = "single"

    def __call__(self, logits: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        """The loss () of `logits` (B, C).

        `batch` holds `teacher_logits` and `target`, float (B, C), and `has_teacher` and `has_gold`, bool (B,); rows
        without them may hold anything finite or not, they are not read.
        """
        soft = soft_cross_entropy if self.kind == "single" else soft_binary_cross_entropy
        hard = hard_cross_entropy if self.kind == "single" else hard_binary_cross_entropy
        logits = logits.float()
        loss = logits.new_zeros(())
        with_teacher, with_gold = batch["has_teacher"], batch["has_gold"]
        if with_teacher.any():
            loss = loss + soft(logits[with_teacher], batch["teacher_logits"][with_teacher], self.temperature).sum()
        if self.alpha and with_gold.any():
            loss = loss + self.alpha * hard(logits[with_gold], batch["target"][with_gold]).sum()
        if not loss.requires_grad:
            # A batch with nothing to learn from still needs a graph for backward.
            loss = loss + logits.sum() * 0
        return loss / len(logits)


def _check(student: Tensor, teacher: Tensor, temperature: float) -> None:
    if student.shape != teacher.shape:
        raise ValueError(f"student logits {tuple(student.shape)} and teacher logits {tuple(teacher.shape)} differ")
    if not temperature > 0:
        raise ValueError(f"temperature must be > 0, found {temperature}")
