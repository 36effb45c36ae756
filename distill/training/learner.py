"""A student and what its loss terms train beside it: one optimiser, one checkpoint, one forward pass."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.utils.generic import ModelOutput

from distill.training.losses.term import Sizes, Term


class StateProjection(nn.Module):
    """Hidden states of some layers under one linear map without bias: (W, S, H) to (W, S, H').

    Args: layers: counted from 0. width, wide: H and H'.
    """

    def __init__(self, layers: Sequence[int], width: int, wide: int) -> None:
        super().__init__()
        self._layers, self.map = list(layers), nn.Linear(width, wide, bias=False)

    def forward(self, hidden_states: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Args: hidden_states: of the embeddings, then of each layer."""
        return tuple(self.map(hidden_states[layer + 1]) for layer in self._layers)


@dataclass
class LearnerOutput(ModelOutput):
    """What a student returns, and `projected`, a tuple of states for each term that has a projection.

    A class of its own: DistributedDataParallel takes outputs apart and builds them again by their fields.
    """

    logits: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None
    projected: dict[type[Term], tuple[Tensor, ...]] | None = None


class Learner(nn.Module):
    """Runs the student, and adds to its output what the projections make of its hidden states.

    Inside one forward pass, so that several processes average the gradients of both.
    """

    def __init__(self, student: PreTrainedModel, terms: Sequence[type[Term]], projections: Iterable[nn.Module]) -> None:
        super().__init__()
        self.student, self.projections = student, nn.ModuleList(projections)
        self._terms = list(terms)

    def forward(self, **inputs: Any) -> LearnerOutput:
        """The student's output with hidden states, and the projected ones."""
        found = self.student(**inputs)
        made = (projection(found.hidden_states) for projection in self.projections)
        projected = dict(zip(self._terms, made, strict=True))
        return LearnerOutput(found.logits, found.hidden_states, found.attentions, projected)


def learner(student: PreTrainedModel, terms: Iterable[Term], ours: Sizes, theirs: Sizes, seed: int) -> nn.Module:
    """What is trained: the student, inside a `Learner` where a term has a projection. The projections are seeded."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = {type(term): projection for term in terms if (projection := term.projection(ours, theirs)) is not None}
    return Learner(student, list(made), made.values()) if made else student
