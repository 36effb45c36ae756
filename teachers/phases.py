"""A teacher that is fitted several times, one fit after the other in one model, each on rows of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, NonNegativeFloat, PositiveFloat, PositiveInt, ValidationError

from distill.core.config import Config, problems
from distill.training.config import TrainingConfig

TRAIN = "train"
ALL_OF_TRAIN = {TRAIN: 1.0}
Keep = Literal["spread", "first", "last"]


def _weighted(rows: object) -> object:
    """A single name, or a list of names, with weight 1 each."""
    names = [rows] if isinstance(rows, str) else rows
    return dict.fromkeys(names, 1.0) if isinstance(names, list) else names


Mixture = Annotated[dict[str, PositiveFloat], BeforeValidator(_weighted), Field(min_length=1)]
"""Sources of training rows, `train` or names of `data.extra`, each with how often its rows are read in an epoch."""


class PhaseConfig(Config):
    """One phase: what it leaves out is as the teacher's `training` has it."""

    rows: Mixture = Field(
        ALL_OF_TRAIN, description="rows to learn: train, or names of data.extra, with weights or without"
    )
    epochs: PositiveFloat | None = Field(None, description="passes over these rows")
    learning_rate: PositiveFloat | None = Field(None, le=1, description="peak learning rate")
    final_learning_rate: NonNegativeFloat | None = Field(None, le=1, description="rate at the end of the phase")
    batch_size: PositiveInt | None = Field(None, description="rows per forward pass")
    layers: PositiveInt | None = Field(None, description="layers kept of the phase before; null: all of them")
    keep: Keep = Field("spread", description="which of them: spread evenly, first or last")

    def training(self, whole: TrainingConfig) -> TrainingConfig:
        """The teacher's training with what the phase says of its own, unchecked: see `phase_problems`."""
        said = {name: getattr(self, name) for name in ("epochs", "learning_rate", "final_learning_rate", "batch_size")}
        own: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
        length = {"max_steps": None} if self.epochs is not None else {}
        return whole.model_copy(update={**length, **own})


def phase_problems(phases: Mapping[str, PhaseConfig], training: TrainingConfig) -> list[str]:
    """One line for each phase whose values do not go together."""
    found = ["phases: one phase is a plain fit; write it as rows and training"] if len(phases) < 2 else []
    for name, phase in phases.items():
        if phase.keep != "spread" and phase.layers is None:
            found.append(f"phases.{name}.keep: says which layers are kept; write how many (layers)")
        try:
            TrainingConfig.model_validate(phase.training(training).model_dump(exclude_unset=True))
        except ValidationError as error:
            found += problems(error, TrainingConfig, f"phases.{name}")
    return found
