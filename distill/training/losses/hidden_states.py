"""The student's hidden states against the teacher's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from distill.training.losses.layer_term import StateTerm
from distill.training.losses.term import HIDDEN_STATES, Outputs

if TYPE_CHECKING:
    from torch import Tensor


class HiddenStates(StateTerm):
    """Mean squared difference of hidden states (W, S, H), mean over pairs of layers and a row's tokens.

    Formula: (1/H) · ‖W·h_s − h_t‖², W the linear map where widths differ and absent where they are equal. Normalised:
    ‖h_s/‖h_s‖ − h_t/‖h_t‖‖², summed over H, so between 0 and 4.
    Source: Jiao et al. 2020, TinyBERT, arXiv:1909.10351, equation 8. With `tokens: first, normalise: true, layers:
        spread` it is patient knowledge distillation, Sun et al. 2019, arXiv:1908.09355, equation 7, which leaves out
        the last layer; give pairs to do so.
    """

    needs: ClassVar[frozenset[str]] = frozenset({HIDDEN_STATES})

    normalise: bool = Field(False, description="compare directions: each state is divided by its length first")

    def __call__(self, student: Outputs, teacher: Outputs, batch: Mapping[str, Tensor]) -> Tensor:
        """The sum ()."""
        pairs = self.states(student, teacher)
        return self.summed([self._distance(*pair) for pair in pairs], batch, len(student.logits))

    def _distance(self, ours: Tensor, theirs: Tensor) -> Tensor:
        from torch.nn import functional

        if not self.normalise:
            return (ours - theirs).square().mean(-1)
        return (functional.normalize(ours, dim=-1) - functional.normalize(theirs, dim=-1)).square().sum(-1)
