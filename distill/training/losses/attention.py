"""Where the student's heads look, against the teacher's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from distill.core.errors import UserError
from distill.training.losses.layer_term import LayerTerm, layer_pairs
from distill.training.losses.term import ATTENTIONS, Outputs, Sizes

if TYPE_CHECKING:
    from torch import Tensor


class Attention(LayerTerm):
    """Squared distance of attention probabilities (W, heads, S, S), head by head.

    Formula: Σ_k (a_s,k − a_t,k)² over the keys k, mean over pairs of layers, heads and a row's tokens; between 0 and 2.
    Both models need as many heads. The student's attention weights are trained without dropout, which would be part of
    what is compared; its other dropout stays.
    Source: Jiao et al. 2020, TinyBERT, arXiv:1909.10351, equation 7, there of the scores before the softmax, which the
        models do not return: masks and position biases are in the probabilities alone.
    """

    needs: ClassVar[frozenset[str]] = frozenset({ATTENTIONS})

    def check(self, student: Sizes, teacher: Sizes) -> None:
        """Check layers and heads. Raises: UserError."""
        super().check(student, teacher)
        self._require_whole(student, teacher)
        if student.heads != teacher.heads:
            raise UserError(
                "a loss term compares attention head by head, and the models have other numbers of heads",
                where=f"losses.{self.name()}",
                found=f"{student.heads} and {teacher.heads}",
                do="take attention_relations, which divides both into equally many",
            )

    def __call__(self, student: Outputs, teacher: Outputs, batch: Mapping[str, Tensor]) -> Tensor:
        """The sum ()."""
        import torch

        from distill.training.row_means import row_means

        pairs = layer_pairs(self.layers, len(student.attentions), len(teacher.attentions))
        mask = batch["attention_mask"]
        keys = mask[:, None, None].bool()
        distances = [
            torch.where(keys, student.attentions[ours].float() - teacher.attentions[theirs].float(), 0.0)
            .square()
            .sum(-1)
            .mean(1)
            for ours, theirs in pairs
        ]
        return row_means(torch.stack(distances).mean(0), mask, batch["owner"], len(student.logits)).sum()
