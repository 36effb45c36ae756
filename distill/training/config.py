"""How a model is trained: the same settings for teachers and students."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from distill.core.config import Config
from distill.core.config_values import Share
from distill.core.label_space import label_name
from distill.training.fit_objectives.cross_entropy import CrossEntropy
from distill.training.fit_objectives.registry import Objective

_RATE, _WIDTH, _EXPONENT = 5e-5, 384, 1.5
_WARMUP_EPOCHS, _WARMUP_STEPS = 10, 2000


BALANCED = "balanced"


def _by_label(weights: object) -> object:
    """Class names in the form in which labels are compared."""
    return {label_name(name): weight for name, weight in weights.items()} if isinstance(weights, dict) else weights


ClassWeights = Annotated[Literal["balanced"] | dict[str, NonNegativeFloat] | None, BeforeValidator(_by_label)]


class AlterConfig(Config):
    """How a training row reads otherwise in every epoch; what it is evaluated on stays as it is."""

    field_dropout: float = Field(0, ge=0, lt=1, description="share of fields left out; a side keeps one at least")
    word_dropout: float = Field(0, ge=0, lt=1, description="share of tokens left out; a side keeps one at least")
    swapped: Share | None = Field(
        None,
        description="share of rows whose sides change places, of a task where their order says nothing, or, with "
        "task.swap, whose fields and labels do as it says; null: half of them with task.swap, none without",
    )


class LoraConfig(Config):
    """Low-rank adapters, which are trained in place of the encoder's weights and merged into them at the end.

    A weight W (O, I) becomes W + α/r · B·A with A (r, I), B (O, r) and B = 0 at the start; the head is trained whole.
    Source: Hu et al. 2021, "LoRA", arXiv:2106.09685; over 4-bit weights: Dettmers et al. 2023, "QLoRA",
        arXiv:2305.14314.
    """

    r: PositiveInt = Field(16, description="rank of an adapter: larger learns more, with more weights")
    alpha: PositiveFloat = Field(32, description="what an adapter adds counts alpha / r times")
    dropout: float = Field(0.05, ge=0, lt=1, description="dropout of what an adapter reads")
    modules: Literal["auto", "all"] | Annotated[list[str], Field(min_length=1)] = Field(
        "auto", description="which linear layers have one: auto: queries and values, all, or their names"
    )
    four_bit: bool = Field(
        False, description="keep the frozen weights in 4 bits while training, where there is CUDA and bitsandbytes"
    )


class TrainingConfig(Config):
    """Optimiser, schedule, end and checkpoints of one training run.

    With `epochs` or `max_steps` a run has a fixed length and the learning rate of `schedule`. Without, it ends when
    it has learned: warm-up, then a constant rate until validation log loss has not fallen for `patience` evaluations or
    a ceiling is met; evaluations before it has left that of the class shares do not count. What is evaluated and kept
    is the running average of its weights, which does what a decay of the rate would do, but at every step, so that the
    end need not be known.
    """

    epochs: PositiveFloat | None = Field(
        None, description="fixed length, passes over the training rows; null: until validation log loss stops falling"
    )
    max_steps: PositiveInt | None = Field(None, description="fixed length in optimiser steps; overrides epochs")
    early_stopping: PositiveInt | None = Field(
        None,
        description="of a fixed length: evaluations without a lower validation log loss that end it, one an epoch "
        "unless evaluate_steps is given; null: no",
    )
    patience: PositiveInt = Field(
        4,
        description="evaluations without a lower validation log loss that end a run; those while it still says the "
        "class shares of all rows do not count, for 20 epochs (2,000 steps) at most",
    )
    evaluate_steps: PositiveInt | None = Field(
        None,
        description="optimiser steps between evaluations; null: half an epoch, at least 25 steps, more where "
        "validation is long; of a fixed length an epoch, of max_steps more where that were over 40 evaluations",
    )
    average: PositiveFloat = Field(
        7, description="without a fixed length: weights of step t count as t^average; larger looks back less far"
    )
    ema: float | None = Field(
        None, gt=0, lt=1, description="without a fixed length: decay of an exponential average, in place of `average`"
    )
    ceiling_steps: PositiveInt = Field(20_000, description="most optimiser steps of a run without a fixed length")
    ceiling_minutes: PositiveFloat = Field(240, description="most minutes of a run without a fixed length")
    objective: Objective = Field(
        CrossEntropy(),
        description="what the head is fitted to: cross_entropy, regression or one_vs_rest, as NAME or {NAME: settings}",
    )
    label_smoothing: float = Field(0, ge=0, lt=1, description="share of the gold that is spread over all classes")
    class_weights: ClassWeights = Field(
        None,
        description="factor of the loss against gold by class, 1 where none is named; balanced: 1 / (C · its share)",
    )
    oversample: float | None = Field(
        None, gt=0, le=1, description="draw gold rows of rarer classes again, up to this share of the largest class"
    )
    batch_size: PositiveInt = Field(32, description="rows per forward pass")
    accumulate: PositiveInt = Field(1, description="forward passes per optimiser step")
    optimiser: Literal["adamw", "muon"] = Field(
        "adamw", description="muon: orthogonalised steps for the matrices of the layers, AdamW for the rest"
    )
    learning_rate: PositiveFloat | None = Field(
        None, le=1, description="peak learning rate; null: 5e-5 at width 384, more for narrower encoders"
    )
    final_learning_rate: NonNegativeFloat = Field(
        0.0, le=1, description="of a fixed length: the rate that the schedule comes down to at its end"
    )
    head_rate: PositiveFloat = Field(1.0, description="learning rate of the new head, as a multiple of learning_rate")
    layer_decay: PositiveFloat = Field(
        1.0, le=1, description="each layer learns at this share of the rate of the layer above it; embeddings come last"
    )
    warmup: NonNegativeFloat = Field(
        0.1, description="from 1 on: steps; under 1: share of all steps, without a fixed length of 10 epochs"
    )
    schedule: Literal["linear", "cosine", "constant_with_warmup"] = Field(
        "linear", description="decay after warm-up, of a fixed length"
    )
    weight_decay: NonNegativeFloat = Field(0.01, le=1, description="decoupled decay")
    max_grad_norm: PositiveFloat = Field(1.0, description="gradients are clipped to this norm")
    dropout: float | None = Field(None, ge=0, lt=1, description="replaces the checkpoint's dropout")
    head_dropout: float | None = Field(None, ge=0, lt=1, description="dropout of the head alone; null: as dropout says")
    cheap_dropout: bool = Field(
        False, description="on a processor: draw dropout from 16 random bits a number; faster, as likely, other numbers"
    )
    alter: AlterConfig = Field(AlterConfig(), description="what a row reads otherwise in every epoch")
    lora: LoraConfig | None = Field(
        None, description="train low-rank adapters and the head, the encoder stays as it is; null: train all weights"
    )
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="auto: bf16 where the processor has it")
    embeddings: Literal["train", "frozen"] = Field(
        "train", description="frozen: the table of token embeddings stays as it is; large vocabularies train faster"
    )
    last_layer: Literal["whole", "first_token"] = Field(
        "whole", description="first_token: computed for the token that the head reads only; exact, faster"
    )
    gradient_checkpointing: bool = Field(
        False, description="compute layers again on the way back instead of storing them: a third slower, less memory"
    )
    checkpoint: Literal["last", "best"] = Field(
        "best", description="best: lowest validation log loss; last: of a fixed length, its end"
    )
    keep_evaluated: bool = Field(
        False, description="keep the weights of every evaluation too, for `distill diagnose-selection`"
    )
    may_collapse: bool = Field(False, description="keep a model that answers alike for all validation rows")
    save_steps: PositiveInt = Field(
        100, description="steps between checkpoints, the most that a kill loses; checkpoint best: an evaluation"
    )

    @model_validator(mode="after")
    def _warms_up_before_it_ends(self) -> TrainingConfig:
        name, end = ("ceiling_steps", self.ceiling_steps) if self.converges else ("max_steps", self.max_steps)
        if end is not None and self.warmup >= 1 and end <= self.warmup:
            raise ValueError(f"{name}: {end} is not above the warm-up of {self.warmup:g} steps")
        if self.converges and self.checkpoint == "last":
            raise ValueError("checkpoint: last needs a fixed length (epochs or max_steps)")
        return self

    @model_validator(mode="after")
    def _comes_down(self) -> TrainingConfig:
        final = self.final_learning_rate
        if final and (self.converges or self.schedule == "constant_with_warmup"):
            why = "a run without a fixed length" if self.converges else f"schedule {self.schedule}"
            raise ValueError(f"final_learning_rate: the rate of {why} does not come down; remove it")
        if final and self.learning_rate is None:
            raise ValueError("final_learning_rate: give learning_rate too, from which it comes down")
        if final and final >= (self.learning_rate or 0):
            raise ValueError(f"final_learning_rate: {final:g} is not below learning_rate, {self.learning_rate:g}")
        if self.early_stopping is not None and self.converges:
            raise ValueError("early_stopping: without a fixed length patience ends a run; remove it, or give epochs")
        if self.ema is not None and not self.converges:
            raise ValueError("ema: of a fixed length no average is kept; remove it, or epochs and max_steps")
        return self

    @model_validator(mode="after")
    def _adapters_learn_alone(self) -> TrainingConfig:
        if self.lora is not None and self.optimiser == "muon":
            raise ValueError("lora: muon is for whole matrices of the layers, which stay as they are; use adamw")
        if self.lora is not None and self.keep_evaluated:
            raise ValueError("keep_evaluated: adapters become part of the weights at the end of a fit alone; remove it")
        return self

    @model_validator(mode="after")
    def _treats_classes_once(self) -> TrainingConfig:
        if self.keep_evaluated and self.objective.folds:
            raise ValueError(f"keep_evaluated: of {self.objective.name()} a head is folded at the end alone; remove it")
        if self.label_smoothing and not self.objective.smooths:
            raise ValueError(f"label_smoothing: {self.objective.name()} has no classes to spread over; remove it")
        if self.oversample is not None and self.class_weights == BALANCED:
            raise ValueError("oversample: class_weights: balanced evens the classes out already; remove one of the two")
        return self

    @property
    def converges(self) -> bool:
        """Whether a run ends when validation log loss stops falling, not after a fixed length."""
        return self.epochs is None and self.max_steps is None

    def for_width(self, width: int) -> TrainingConfig:
        """These settings with a learning rate: the one given, or 5e-5·(384/H)^1.5 for an encoder of width H.

        5e-5 at 384 is the middle of what public sets of 1,200 to 20,000 gold rows asked for (docs/results.md, how
        training ends): more overfits noisy grades, less takes twice the steps on 151 classes. At 768 it gives 1.8e-5,
        within BERT's own range, at 128 2.6e-4.
        """
        if self.learning_rate is not None:
            return self
        return self.model_copy(update={"learning_rate": _RATE * (_WIDTH / width) ** _EXPONENT})

    def warmup_steps(self, epoch_steps: float) -> int:
        """Warm-up of a run without a fixed length; a share is one of ten epochs, of 2,000 steps at most."""
        if self.warmup >= 1:
            return int(self.warmup)
        return round(self.warmup * min(_WARMUP_EPOCHS * epoch_steps, _WARMUP_STEPS))
