"""What an encoder starts from: random weights of a given shape, or a vocabulary cut to what the texts use."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from distill.core.config import Config


class FreshEncoder(Config):
    """The architecture built when no checkpoint is given: a BERT with random weights."""

    layers: PositiveInt = Field(12, description="transformer layers")
    width: PositiveInt = Field(128, description="hidden size, a multiple of heads")
    heads: PositiveInt = Field(4, description="attention heads")
    matching_heads: NonNegativeInt = Field(0, description="heads of a layer that start out attending to equal tokens")
    vocabulary: int = Field(8000, ge=100, description="WordPiece vocabulary, learnt from the training and pool texts")

    @model_validator(mode="after")
    def _heads_fit(self) -> FreshEncoder:
        if self.width % self.heads:
            raise ValueError(f"width: {self.width} is no multiple of heads, {self.heads}")
        if self.matching_heads > self.heads:
            raise ValueError(f"matching_heads: {self.matching_heads} is more than heads, {self.heads}")
        return self


class VocabularyConfig(Config):
    """Which rows of an encoder's embeddings are kept; see `distill/models/vocabulary`."""

    keep: Literal["seen"] = Field("seen", description="seen: the tokens of the training and pool texts that are read")
    min_count: PositiveInt = Field(1, description="fewest times that a token occurs in them")


class HeadConfig(Config):
    """A classification head with a hidden layer: linear, activation, dropout, linear; its weights are fresh.

    A family whose own head has a hidden layer (RoBERTa, DistilBERT, ELECTRA) keeps its activation; others get a ReLU.
    """

    layers: Literal[2] = Field(2, description="linear layers of the head")
    hidden: PositiveInt = Field(256, description="width of the hidden layer")
    dropout: float = Field(0.1, ge=0, lt=1, description="dropout before the last layer")
