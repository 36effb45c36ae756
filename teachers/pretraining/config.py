"""What an encoder is pre-trained on and how."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from distill.core.config import Config
from distill.core.config_values import Files, Share
from distill.models.config import FreshEncoder
from distill.training.config import AlterConfig, TrainingConfig


class TextSource(Config):
    """Pre-training texts that are not among the project's records."""

    root: str = Field(".", description="folder that its files start from, relative to data.root")
    files: Files = Field(description="files or globs below root")
    left: Annotated[list[str], Field(min_length=1)] = Field(description="columns of the first segment, in order")
    right: list[str] = Field(default_factory=list, description="columns of the second segment; none for single texts")
    category: str | None = Field(None, description="column within whose values right sides are swapped")
    where: dict[str, Any] = Field(default_factory=dict, description="keep rows whose columns have these values")
    unlike: Files | None = Field(
        None, description="drop rows that share a whole side with a row of these files, below root"
    )
    rows: PositiveInt | None = Field(None, description="keep a seeded sample of this many rows")
    terms: str = Field("", description="what the source's terms say about use, for the model card")


class EmbeddingTeacherConfig(Config):
    """A larger encoder whose sentence embeddings the small one learns to reproduce, one side of a pair at a time."""

    encoder: str = Field(description="folder or hub id")
    hidden: NonNegativeFloat = Field(1.0, description="weight of the distance between projected and given embedding")
    relation: NonNegativeFloat = Field(1.0, description="weight of the distance between similarities within a batch")
    max_tokens: Annotated[int, Field(ge=4, le=512)] = Field(64, description="tokens that it reads of a side")

    @model_validator(mode="after")
    def _asks_for_something(self) -> EmbeddingTeacherConfig:
        if self.hidden == 0 and self.relation == 0:
            raise ValueError("hidden: hidden and relation are both 0, so nothing would be learnt from it")
        return self


class PretrainTraining(TrainingConfig):
    """A pre-training run's own defaults: Muon, one pass, a short warm-up, rarer checkpoints."""

    optimiser: Literal["adamw", "muon"] = Field(
        "muon", description="muon: orthogonalised steps for the matrices of the layers"
    )
    epochs: PositiveFloat | None = Field(1, description="passes over the pairs")
    checkpoint: Literal["last"] = Field("last", description="the last weights are kept")
    warmup: NonNegativeFloat = Field(0.05, description="under 1: share of all steps; from 1 on: steps")
    save_steps: PositiveInt = Field(200, description="steps between checkpoints, the most that a kill loses")

    @model_validator(mode="after")
    def _is_of_an_encoder_alone(self) -> PretrainTraining:
        if self.head_dropout is not None:
            raise ValueError("head_dropout: pre-training has no classification head; remove it")
        if self.early_stopping is not None:
            raise ValueError("early_stopping: pre-training has no classes to be judged by; remove it")
        if self.alter != AlterConfig():
            raise ValueError("alter: pre-training masks and swaps by itself; set masked and swapped")
        if self.lora is not None or self.gradient_checkpointing:
            name = "lora" if self.lora is not None else "gradient_checkpointing"
            raise ValueError(f"{name}: pre-training learns all weights of a small encoder; remove it")
        for name in ("objective", "label_smoothing", "class_weights", "oversample"):
            if getattr(self, name) != TrainingConfig.model_fields[name].default:
                raise ValueError(f"{name}: pre-training reads no classes; remove it")
        return self


class PretrainConfig(Config):
    """A pre-training run: masked words, pair matching, token overlap, and a larger encoder's embeddings."""

    checkpoint: str | None = Field(None, description="encoder to go on from; null: fresh weights and vocabulary")
    fresh: FreshEncoder = Field(default_factory=FreshEncoder, description="used when checkpoint is null")
    view: str = Field("document", description="the view by which the project's records are read; gives max_tokens")
    own: bool = Field(True, description="read the project's clean training and pool records")
    category: str | None = Field(None, description="field of the records within which sides are swapped; null: slice")
    texts: dict[str, TextSource] = Field(default_factory=dict, description="further texts by name")
    masked: Annotated[float, Field(gt=0, lt=1)] = Field(0.15, description="share of words that are masked")
    swapped: Share = Field(0.5, description="share of pairs that get the right side of another pair")
    mlm: NonNegativeFloat = Field(0.3, description="weight of masked language modelling: predicting the masked words")
    pair_matching: NonNegativeFloat = Field(1.0, description="weight of telling pairs from swapped pairs")
    token_overlap: NonNegativeFloat = Field(
        1.0, description="weight of telling, token by token, whether the other side has it too"
    )
    embedding_teacher: EmbeddingTeacherConfig | None = Field(None, description="learn from a larger encoder as well")
    held_out: PositiveInt = Field(500, description="rows kept for the loss curve")
    evaluate_steps: PositiveInt = Field(250, description="optimiser steps between two points of the curve")
    half: bool = Field(True, description="store weights as float16")
    training: PretrainTraining = Field(default_factory=PretrainTraining)

    @model_validator(mode="after")
    def _has_texts(self) -> PretrainConfig:
        if not self.own and not self.texts:
            raise ValueError("texts: with own: false there is nothing to read; name at least one source")
        return self
