"""A student that reads tokens one after the other, in both directions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field, PositiveInt

from distill.core.view import View
from distill.families.encoder import Encoder
from distill.families.family import Lesson
from distill.families.small import EmbeddingSettings, named, word_embeddings
from distill.families.starting import source_model

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class BidirectionalLstm(Encoder):
    """An LSTM over the embeddings of its source; see `distill.models.small.lstm`."""

    name = "lstm"
    layered = False
    products = False
    signs = True

    class Settings(EmbeddingSettings):
        """The keys of its own that an entry may have."""

        state: PositiveInt = Field(256, description="width of the state of each direction")

    def start(self, config: Any, lesson: Lesson, view: View) -> PreTrainedModel:
        """Embeddings of the source, the rest fresh."""
        from distill.models.small.lstm import Lstm, LstmConfig

        source = source_model(lesson)
        if isinstance(source, Lstm):  # an earlier phase of its own
            return source
        table = word_embeddings(source, config.width)
        sizes = {"vocab_size": len(table), "hidden_size": table.shape[1], "pad_token_id": source.config.pad_token_id}
        head = {"state_size": config.state, "head_size": config.hidden, "head_dropout": config.head_dropout}
        model = Lstm(named(LstmConfig(**sizes, **head), lesson))
        model.embeddings.weight.data.copy_(table)
        return model
