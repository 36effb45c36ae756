"""How a model is trained: the same settings for teachers and students."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from distill.core.config import Config


class TrainingConfig(Config):
    """Optimiser, schedule and checkpoints of one training run."""

    epochs: PositiveFloat = Field(3, description="passes over the training rows")
    max_steps: PositiveInt | None = Field(None, description="optimiser steps; overrides epochs")
    batch_size: PositiveInt = Field(32, description="rows per forward pass")
    accumulate: PositiveInt = Field(1, description="forward passes per optimiser step")
    learning_rate: PositiveFloat = Field(3e-5, le=1, description="peak learning rate of AdamW")
    warmup: NonNegativeFloat = Field(0.1, description="under 1: share of all steps; from 1 on: steps")
    schedule: Literal["linear", "cosine", "constant_with_warmup"] = Field("linear", description="decay after warm-up")
    weight_decay: NonNegativeFloat = Field(0.01, le=1, description="AdamW's decoupled decay")
    max_grad_norm: PositiveFloat = Field(1.0, description="gradients are clipped to this norm")
    dropout: float | None = Field(None, ge=0, lt=1, description="replaces the checkpoint's dropout")
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="auto: bf16 where the processor has it")
    checkpoint: Literal["last", "best"] = Field("last", description="best: highest macro F1 on validation")
    save_steps: PositiveInt = Field(
        100, description="steps between checkpoints, the most that a kill loses; checkpoint best: an epoch"
    )
