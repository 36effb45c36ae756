"""Terms that compare how tokens relate to each other inside a layer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, PositiveInt

from distill.core.errors import UserError
from distill.training.losses.layer_term import LayerTerm, layer_pairs
from distill.training.losses.term import PROJECTIONS, Outputs, Sizes

if TYPE_CHECKING:
    from torch import Tensor


class RelationTerm(LayerTerm):
    """KL divergence of self-attention relations, teacher ‖ student, summed over the kinds of relation.

    The queries (keys, values) of all heads, float (W, S, H), are put side by side and divided again into A relation
    heads of H/A numbers, x_a. The relation of head a is R_a = softmax(x_a · x_aᵀ / √(H/A)), float (W, A, S, S), a
    distribution over tokens for every token.
    Formula: Σ_kinds mean over a and the row's tokens t of KL(R_a,t of the teacher ‖ R_a,t of the student), mean over
    pairs of layers. Widths may differ, H/A need not be equal: no projection is needed.
    Source: Wang et al. 2021, MiniLMv2, arXiv:2012.15828, section 3.1.
    """

    needs: ClassVar[frozenset[str]] = frozenset({PROJECTIONS})

    relation_heads: PositiveInt | None = Field(
        None, description="A; has to divide both widths; null: the teacher's attention heads"
    )

    @property
    @abstractmethod
    def kinds(self) -> tuple[str, ...]:
        """Of `queries`, `keys` and `values` those that are compared."""

    def check(self, student: Sizes, teacher: Sizes) -> None:
        """Check layers, and that relation heads divide both widths. Raises: UserError."""
        super().check(student, teacher)
        self._require_whole(student, teacher)
        heads = self.relation_heads or teacher.heads
        if student.width % heads or teacher.width % heads:
            raise UserError(
                "the relation heads do not divide the widths of student and teacher",
                where=f"losses.{self.name()}.relation_heads",
                found=f"{heads} heads, widths {student.width} and {teacher.width}",
                do="give a divisor of both",
            )

    def __call__(self, student: Outputs, teacher: Outputs, batch: Mapping[str, Tensor]) -> Tensor:
        """The sum ()."""
        import torch

        from distill.training.relations import relation_divergence
        from distill.training.row_means import row_means

        pairs = layer_pairs(self.layers, len(student.projections), len(teacher.projections))
        mask, found = batch["attention_mask"], []
        for ours, theirs in pairs:
            one, other = student.projections[ours], teacher.projections[theirs]
            heads = self.relation_heads or other.heads
            found += [relation_divergence(getattr(one, k), getattr(other, k), mask, heads) for k in self.kinds]
        mean = torch.stack(found).sum(0) / len(pairs)
        return row_means(mean, mask, batch["owner"], len(student.logits)).sum()
