"""What every objective says of its training: the loss of a row against gold, and against a teacher."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cache
from typing import TYPE_CHECKING, ClassVar

from distill.core.objectives.objective import Objective
from distill.core.siblings import sibling
from distill.training import objectives

if TYPE_CHECKING:
    from torch import Tensor


class RowLosses(ABC):
    """The losses of one objective. Importing a module of them loads no torch: their methods import it.

    Attributes: name: the objective's. shift_free: whether one number added to all logits of a row changes nothing.
    """

    name: ClassVar[str]
    shift_free: ClassVar[bool] = False

    @abstractmethod
    def hard(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss against gold for each row, float (B,). Args: logits: float (B, K). target: float (B, C)."""

    @abstractmethod
    def soft(self, student_logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
        """Loss of the softened student against the softened teacher, times T², for each row.

        Args: student_logits, teacher_logits: float (B, K), same order. temperature: T > 0, larger is softer.
        Returns: float (B,). Raises: ValueError when the shapes differ (the message shows both) or T ≤ 0.
        """

    def smoothed(self, target: Tensor, share: float) -> Tensor:
        """Gold (B, K) of which a share is spread evenly over the classes: t·(1 − ε) + ε/K.

        Source: Szegedy et al. 2016, "Rethinking the Inception Architecture", arXiv:1512.00567, section 7.
        """
        return target * (1 - share) + share / target.shape[-1]


def row_losses(objective: Objective) -> RowLosses:
    """The losses of an objective. Raises: UserError when there are none of its name."""
    return _named(objective.name)


@cache
def _named(name: str) -> RowLosses:
    return sibling(objectives, RowLosses, name, "objective's losses", "task.kind")()


def require_softened(student_logits: Tensor, teacher_logits: Tensor, temperature: float) -> None:
    """Check the arguments of `soft`. Raises: ValueError when the shapes differ (the message shows both) or T ≤ 0."""
    student, teacher = tuple(student_logits.shape), tuple(teacher_logits.shape)
    if student != teacher:
        raise ValueError(f"student logits {student} and teacher logits {teacher} differ")
    if not temperature > 0:
        raise ValueError(f"temperature must be > 0, found {temperature}")
