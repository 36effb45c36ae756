"""A teacher's model during training, for loss terms that read more of it than its stored logits."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from distill.core.objectives.objective import Objective
from distill.models.encoder import input_names, load_classifier
from distill.training.losses.term import ATTENTIONS, LOGITS, Outputs


class FrozenTeacher:
    """A fine-tuned classifier that is read and never trained: no dropout, no gradients.

    Args: folder: a model folder with the student's tokenizer. needs: what the loss terms read.
    Raises: UserError when the folder cannot be loaded.
    """

    def __init__(self, folder: Path, needs: Collection[str]) -> None:
        self._model: Any = load_classifier(folder).requires_grad_(False).train(False)
        self._names, self._options = input_names(self._model), forward_options(needs)
        require_attentions(self._model, needs)

    @torch.no_grad()
    def read(self, batch: Mapping[str, Tensor], objective: Objective) -> Outputs:
        """Hidden states and attentions of the batch's windows; the logits are those stored with its rows."""
        self._model.to(batch["input_ids"].device)
        found = self._model(**{name: batch[name] for name in self._names}, **self._options)
        return Outputs(batch["teacher_logits"], objective, *inner_states(found))


def forward_options(needs: Collection[str]) -> dict[str, bool]:
    """Options of a forward pass that returns what is needed beyond logits; none where nothing is."""
    return {f"output_{need}": True for need in sorted(needs) if need != LOGITS}


def require_attentions(model: Any, needs: Collection[str]) -> None:
    """Use plain attention where its weights are read: the fused kernels never form them."""
    if ATTENTIONS in needs:
        model.set_attn_implementation("eager")


def inner_states(found: Any) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Hidden states and attentions of a forward pass; empty where they were not asked for."""
    return tuple(found.hidden_states or ()), tuple(found.attentions or ())
