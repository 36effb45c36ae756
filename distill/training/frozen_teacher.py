"""A teacher's model during training, for loss terms that read more of it than its stored logits."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from distill.core.objectives.objective import Objective
from distill.models.encoder import load_classifier
from distill.training.inner_states import Reader, sizes
from distill.training.losses.term import Outputs


class FrozenTeacher:
    """A fine-tuned classifier that is read and never trained: no dropout, no gradients.

    Args: folder: a model folder with the student's tokenizer. needs: what the loss terms read.
    Attributes: sizes: of the model.
    Raises: UserError when the folder cannot be loaded, or its family does not show what is needed.
    """

    def __init__(self, folder: Path, needs: Collection[str]) -> None:
        self._model: Any = load_classifier(folder).requires_grad_(False).train(False)
        self._read, self.sizes = Reader(self._model, needs), sizes(self._model)

    @torch.no_grad()
    def read(self, batch: Mapping[str, Tensor], objective: Objective) -> Outputs:
        """What the terms need of the batch's windows; the logits are those stored with its rows."""
        self._model.to(batch["input_ids"].device)
        return Outputs(batch["teacher_logits"], objective, **self._read(batch)[1])
