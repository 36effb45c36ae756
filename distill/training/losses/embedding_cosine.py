"""The direction of the student's token embeddings against the teacher's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from distill.training.losses.layer_term import StateTerm
from distill.training.losses.term import HIDDEN_STATES, Outputs

if TYPE_CHECKING:
    from torch import Tensor


class EmbeddingCosine(StateTerm):
    """One less the cosine of hidden states (W, S, H), between 0 and 2, mean over pairs of layers and a row's tokens.

    Formula: 1 − W·h_s·h_t / (‖W·h_s‖·‖h_t‖), by default of the last layers.
    Source: Sanh et al. 2019, DistilBERT, arXiv:1910.01108, section 2 (the cosine embedding loss).
    """

    needs: ClassVar[frozenset[str]] = frozenset({HIDDEN_STATES})

    def __call__(self, student: Outputs, teacher: Outputs, batch: Mapping[str, Tensor]) -> Tensor:
        """The sum ()."""
        from torch.nn import functional

        distances = [1 - functional.cosine_similarity(*pair, dim=-1) for pair in self.states(student, teacher)]
        return self.summed(distances, batch, len(student.logits))
