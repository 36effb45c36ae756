"""A student that reads a bag of tokens: microseconds a record, what every encoder has to be worth its cost against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from distill.core.view import View
from distill.families.encoder import Encoder
from distill.families.family import Lesson
from distill.families.small import EmbeddingSettings, idf, named, word_embeddings
from distill.families.starting import source_model

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class BagOfTokens(Encoder):
    """Static embeddings of its source, weighted by how rare a token is; see `distill.models.small.bag`."""

    name = "bag"
    layered = False
    products = False
    signs = True

    def control(self, classes: int) -> dict[str, Any]:
        """The learning rate of its preset, and a start that no teacher has trained."""
        return {"init": "pretrained", "training": {"learning_rate": 1e-3}}

    class Settings(EmbeddingSettings):
        """No further keys of its own."""

    def start(self, config: Any, lesson: Lesson, view: View) -> PreTrainedModel:
        """Embeddings of the source, weights by training rows, a fresh head."""
        import torch

        from distill.models.small.bag import Bag, BagConfig

        source = source_model(lesson)
        if isinstance(source, Bag):  # an earlier phase of its own
            return source
        table = word_embeddings(source, config.width)
        sizes = {"vocab_size": len(table), "hidden_size": table.shape[1], "pad_token_id": source.config.pad_token_id}
        own = BagConfig(**sizes, head_size=config.hidden, head_dropout=config.head_dropout)
        model = Bag(named(own, lesson))
        model.embeddings.weight.data.copy_(table)
        model.weights = torch.from_numpy(idf(lesson, view, len(table)))
        return model
