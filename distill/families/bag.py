"""A student that reads a bag of tokens: microseconds a record, what every encoder has to be worth its cost against."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, PositiveInt

from distill.core.config import Config
from distill.core.model_folder import parameter_count
from distill.core.view import View
from distill.families.encoder import Encoder
from distill.families.family import Facts, Lesson
from distill.families.small import idf, named, word_embeddings
from distill.families.starting import source_model

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class BagOfTokens(Encoder):
    """Static embeddings of its source, weighted by how rare a token is; see `distill.models.small.bag`."""

    name = "bag"
    layered = False
    products = False
    signs = True

    class Settings(Config):
        """The keys of its own that an entry may have."""

        width: PositiveInt | None = Field(
            None, description="of the embeddings: principal components; null: the source's"
        )
        hidden: PositiveInt = Field(256, description="width of the head's hidden layer")
        head_dropout: float = Field(0.1, ge=0, lt=1, description="dropout of the head")

    def start(self, config: Any, lesson: Lesson, view: View) -> PreTrainedModel:
        """Embeddings of the source, weights by training rows, a fresh head."""
        import torch

        from distill.models.small.bag import Bag, BagConfig

        source = source_model(lesson)
        table = word_embeddings(source, config.width)
        sizes = {"vocab_size": len(table), "hidden_size": table.shape[1], "pad_token_id": source.config.pad_token_id}
        own = BagConfig(**sizes, head_size=config.hidden, head_dropout=config.head_dropout)
        model = Bag(named(own, lesson))
        model.embeddings.weight.data.copy_(table)
        model.weights = torch.from_numpy(idf(lesson, view, len(table)))
        return model

    def facts(self, folder: Path) -> Facts:
        """No layers."""
        return Facts(None, parameter_count(folder))
