"""How a model is trained: the same settings for teachers and students."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from distill.core.config import Config

_RATE, _WIDTH, _EXPONENT = 3e-5, 768, 1.5


class TrainingConfig(Config):
    """Optimiser, schedule and checkpoints of one training run."""

    epochs: PositiveFloat = Field(3, description="passes over the training rows")
    max_steps: PositiveInt | None = Field(None, description="optimiser steps; overrides epochs")
    batch_size: PositiveInt = Field(32, description="rows per forward pass")
    accumulate: PositiveInt = Field(1, description="forward passes per optimiser step")
    optimiser: Literal["adamw", "muon"] = Field(
        "adamw", description="muon: orthogonalised steps for the matrices of the layers, AdamW for the rest"
    )
    learning_rate: PositiveFloat | None = Field(
        None, le=1, description="peak learning rate; null: 3e-5 at width 768, more for narrower encoders"
    )
    warmup: NonNegativeFloat = Field(0.1, description="under 1: share of all steps; from 1 on: steps")
    schedule: Literal["linear", "cosine", "constant_with_warmup"] = Field("linear", description="decay after warm-up")
    weight_decay: NonNegativeFloat = Field(0.01, le=1, description="decoupled decay")
    max_grad_norm: PositiveFloat = Field(1.0, description="gradients are clipped to this norm")
    dropout: float | None = Field(None, ge=0, lt=1, description="replaces the checkpoint's dropout")
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="auto: bf16 where the processor has it")
    checkpoint: Literal["last", "best"] = Field("last", description="best: highest macro F1 on validation")
    may_collapse: bool = Field(False, description="keep a model that answers alike for all validation rows")
    save_steps: PositiveInt = Field(
        100, description="steps between checkpoints, the most that a kill loses; checkpoint best: an epoch"
    )

    def for_width(self, width: int) -> TrainingConfig:
        """These settings with a learning rate: the one given, or 3e-5·(768/H)^1.5 for an encoder of width H.

        Through 3e-5 at 768, within BERT's own range; at 384 it gives 8.5e-5, under the 1e-4 at which MiniLM-L6 was seen
        to collapse with AdamW, and at 128 4.4e-4, under the 1e-3 at which the embedded encoder was.
        """
        if self.learning_rate is not None:
            return self
        return self.model_copy(update={"learning_rate": _RATE * (_WIDTH / width) ** _EXPONENT})
