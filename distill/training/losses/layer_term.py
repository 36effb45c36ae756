"""Terms that compare layers of the student with layers of its teacher, and which with which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, NonNegativeInt, model_validator

from distill.core.errors import UserError
from distill.training.losses.term import Outputs, Sizes, Term

if TYPE_CHECKING:
    from torch import Tensor, nn

Pair = tuple[NonNegativeInt, NonNegativeInt]
_BY_TOKEN = (
    "view: it compares token by token, and in another view the tokens have other positions; remove it, or take "
    "hidden_states or embedding_cosine with tokens: first"
)
Layers = Literal["last", "spread"] | Annotated[list[Pair], Field(min_length=1)]


def layer_pairs(layers: Layers, student: int, teacher: int) -> list[tuple[int, int]]:
    """(student's layer, teacher's layer), both counted from 0, of models with so many layers.

    `last`: the last of both. `spread`: each layer i of the student with layer ⌈(i+1)·L/N⌉ − 1 of the teacher, the end
    of its share of the L layers (Jiao et al. 2020, TinyBERT, arXiv:1909.10351, section 4.3): 12 → 8: 1 2 4 5 7 8 10 11.
    """
    if layers == "last":
        return [(student - 1, teacher - 1)]
    if layers == "spread":
        return [(i, -(-(i + 1) * teacher // student) - 1) for i in range(student)]
    return [(ours, theirs) for ours, theirs in layers]


class LayerTerm(Term):
    """A term over pairs of layers, the mean of which is its loss."""

    layers: Layers = Field(
        "last", description="last, spread, or pairs [student's, teacher's] counted from 0, as [[0, 1], [2, 5]]"
    )

    @model_validator(mode="before")
    @classmethod
    def _has_no_view(cls, values: object) -> object:
        if isinstance(values, Mapping) and "view" in values and "view" not in cls.model_fields:
            raise ValueError(_BY_TOKEN)
        return values

    def beyond(self, layers: int) -> str | None:
        """The first pair whose layer of the student is not there."""
        pairs = [] if isinstance(self.layers, str) else self.layers
        return next(
            (
                f"layers: [{ours}, {theirs}] names layer {ours} of a student whose last is {layers - 1}; layers are "
                "counted from 0, the student's first"
                for ours, theirs in pairs
                if ours >= layers
            ),
            None,
        )

    def check(self, student: Sizes, teacher: Sizes) -> None:
        """Check that both have the layers that are named. Raises: UserError."""
        for ours, theirs in layer_pairs(self.layers, student.layers, teacher.layers):
            if ours >= student.layers or theirs >= teacher.layers:
                raise UserError(
                    "a loss term compares layers that are not there",
                    where=f"losses.{self.name()}.layers",
                    found=f"[{ours}, {theirs}] of {student.layers} student's and {teacher.layers} teacher's layers",
                    do="count layers from 0, the student's first; or give last or spread",
                )

    def _require_whole(self, student: Sizes, teacher: Sizes) -> None:
        """Refuse models of which one has layers that read fewer positions. Raises: UserError."""
        for whose, model in (("student", student), ("teacher", teacher)):
            if model.shortened:
                raise UserError(
                    f"a loss term compares every token, and the {whose}'s layers read several as one",
                    where=f"losses.{self.name()}",
                    do=f"take the {whose}'s token_schedule out, or compare the first token: hidden_states or "
                    "embedding_cosine with tokens: first",
                )


class StateTerm(LayerTerm):
    """A term over pairs of hidden states; where their widths differ the student's go through a linear map first.

    The map is one for all pairs, without bias, trained along and left out of the student that is saved.
    """

    tokens: Literal["all", "first"] = Field(
        "all", description="all: the states of every token; first: of [CLS] alone, what the head reads"
    )
    view: str | None = Field(
        None, description="of tokens: first, the view that the teacher reads; null: what the student reads"
    )

    @model_validator(mode="after")
    def _positions_match(self) -> Self:
        if self.view is not None and self.tokens == "all":
            raise ValueError(_BY_TOKEN)
        return self

    def other_view(self) -> str | None:
        """The view that is set."""
        return self.view

    def check(self, student: Sizes, teacher: Sizes) -> None:
        """Check layers, and that tokens are there to be compared. Raises: UserError."""
        super().check(student, teacher)
        if self.tokens == "all":
            self._require_whole(student, teacher)

    def projection(self, student: Sizes, teacher: Sizes) -> nn.Module | None:
        """The linear map, where widths differ."""
        from distill.training.learner import StateProjection

        if student.width == teacher.width:
            return None
        pairs = layer_pairs(self.layers, student.layers, teacher.layers)
        return StateProjection([ours for ours, _ in pairs], student.width, teacher.width)

    def states(self, student: Outputs, teacher: Outputs) -> list[tuple[Tensor, Tensor]]:
        """The states to compare, float32, the student's of the teacher's width: two (W, S, H) a pair, or (W, 1, H)."""
        theirs = teacher.hidden_states if self.view is None else teacher.viewed[self.view]
        pairs = layer_pairs(self.layers, len(student.hidden_states) - 1, len(theirs) - 1)
        ours = student.projected.get(type(self)) or tuple(student.hidden_states[layer + 1] for layer, _ in pairs)
        end = 1 if self.tokens == "first" else None
        return [
            (one[:, :end].float(), theirs[layer + 1][:, :end].float())
            for one, (_, layer) in zip(ours, pairs, strict=True)
        ]

    def summed(self, distances: list[Tensor], batch: Mapping[str, Tensor], rows: int) -> Tensor:
        """Σ over rows of the mean over pairs and the row's tokens, from distances (W, S) of each pair."""
        import torch

        from distill.training.row_means import row_means

        mean = torch.stack(distances).mean(0)
        mask = batch["attention_mask"][:, : mean.shape[1]]
        return row_means(mean, mask, batch["owner"], rows).sum()
