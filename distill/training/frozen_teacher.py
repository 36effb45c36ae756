"""A teacher's model during training, for loss terms that read more of it than its stored logits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from distill.core.objectives.objective import Objective
from distill.models.encoder import load_classifier
from distill.training.inner_states import Reader, sizes
from distill.training.losses.term import HIDDEN_STATES, Outputs, Term, needs, same_view

Batches = Mapping[str, Mapping[str, Tensor]]


class FrozenTeacher:
    """A fine-tuned classifier that is read and never trained: no dropout, no gradients.

    Args: folder: a model folder, with the student's tokenizer where a term reads it on what the student reads. terms:
        the loss terms.
    Attributes: sizes: of the model.
    Raises: UserError when the folder cannot be loaded, or its family does not show what is needed.
    """

    def __init__(self, folder: Path, terms: Sequence[Term]) -> None:
        self._model: Any = load_classifier(folder).requires_grad_(False).train(False)
        own = needs(same_view(terms))
        self._read = Reader(self._model, own) if own else None
        self._read_states, self.sizes = Reader(self._model, (HIDDEN_STATES,)), sizes(self._model)

    @torch.no_grad()
    def read(self, batch: Mapping[str, Tensor], objective: Objective, views: Batches) -> Outputs:
        """What the terms need of the batch's windows; the logits are those stored with its rows.

        Args: views: the same rows through other views, by name, each with `owner`. Where the batch holds each row two
            times, they hold it once.
        """
        self._model.to(batch["input_ids"].device)
        states = self._read(batch)[1] if self._read else {}
        viewed = {name: self._first_tokens(rows, batch["owner"]) for name, rows in views.items()}
        return Outputs(batch["teacher_logits"], objective, **states, viewed=viewed)

    def _first_tokens(self, rows: Mapping[str, Tensor], owner: Tensor) -> tuple[Tensor, ...]:
        """The states (W, 1, H) at [CLS] of the row of each of the student's windows, mean over the teacher's windows.

        Args: rows: B rows as the teacher reads them. owner: (W,), of the student's windows.
        """
        states = self._read_states(rows)[1]["hidden_states"]
        count = int(rows["owner"].max()) + 1
        windows = torch.bincount(rows["owner"], minlength=count)[:, None]
        return tuple(
            (layer.new_zeros(count, layer.shape[-1]).index_add(0, rows["owner"], layer[:, 0]) / windows)[
                owner % count, None
            ]
            for layer in states
        )
