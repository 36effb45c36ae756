"""The student's predictions against its own under other dropout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from distill.training.losses.term import LOGITS, TWICE, Outputs, Term
from distill.training.objectives.row_losses import row_losses

if TYPE_CHECKING:
    from torch import Tensor


class RDrop(Term):
    """Symmetric KL divergence between two passes over each row, which differ by their dropout.

    Every row is read twice in one batch, so a step costs twice as much; all other terms are the mean over both.
    Formula: ½ · [KL(p ‖ q) + KL(q ‖ p)], p and q the predictions of the two passes, counted once for the two rows. With
    a mean over 2·B rows its weight is that of the paper's α.
    Source: Wu, Li et al. 2021, "R-Drop: Regularized Dropout for Neural Networks", arXiv:2106.14448, equation 4.
    """

    needs: ClassVar[frozenset[str]] = frozenset({LOGITS, TWICE})

    def __call__(self, student: Outputs, teacher: Outputs, batch: Mapping[str, Tensor]) -> Tensor:
        """The sum (). The second half of the batch holds the rows of the first again."""
        soft = row_losses(student.objective).soft
        one, other = student.logits.chunk(2)
        there = soft(one, other, 1.0) - soft(other, other, 1.0)
        back = soft(other, one, 1.0) - soft(one, one, 1.0)
        return (there + back).sum() / 2
