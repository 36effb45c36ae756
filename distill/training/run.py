"""What a training run is told besides its model and its config."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from distill.training.altered_rows import Alteration
from distill.training.distillation_loss import DistillationLoss
from distill.training.examples import Example, gold
from distill.training.fit_objectives.aim import Aim

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Run:
    """How a training run reads its rows.

    Attributes:
        name: shown with the progress. labels: class names in order. loss: what is minimised.
        pad_id: the tokenizer's padding token. pool: how windows become rows. seed: order, dropout and fresh weights.
        threads: processor threads. teacher: model folder for loss terms that read more of it than stored logits.
        logs: folder for TensorBoard curves; None: none are kept. alteration: of training rows, in every epoch anew.
        plain: the model as it was before its weights were kept in 4 bits; None: they are not. remarks: what a reader
        of the report should know of the fit. teacher_pad_id: the teacher's padding token, for other views.
    """

    name: str
    labels: Sequence[str]
    loss: DistillationLoss
    pad_id: int
    pool: str = "mean"
    seed: int = 1
    threads: int | None = None
    teacher: Path | None = None
    logs: Path | None = None
    alteration: Alteration | None = None
    plain: Callable[[], PreTrainedModel] | None = None
    remarks: Sequence[str] = ()
    teacher_pad_id: int = 0

    @property
    def aim(self) -> Aim:
        """What the outputs mean: as the loss has it, or the task's own."""
        return self.loss.aim or Aim.plain(self.loss.objective, len(self.labels))


@dataclass(frozen=True)
class Rows:
    """The examples of a run. Attributes: train: learnt from. valid: evaluated on, each with gold."""

    train: Sequence[Example]
    valid: Sequence[Example]

    def gold(self, classes: int) -> NDArray[np.float32]:
        """Gold of the validation rows, float32 (N, C)."""
        return gold(self.valid, classes)

    def learnt_gold(self, classes: int) -> NDArray[np.float32]:
        """Gold of the training rows that have any, float32 (N, C); twice of a row that is read twice in an epoch."""
        return gold(self.train, classes)
