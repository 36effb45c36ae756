"""A student that leaves the encoder as it is and trains a head with one hidden layer on its features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, PositiveInt

from distill.core.config import Config
from distill.core.view import View
from distill.families.encoder import Encoder
from distill.families.family import Lesson
from distill.families.small import named
from distill.families.starting import source_model

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class MlpOnFrozen(Encoder):
    """A head over a source that is not trained; see `distill.models.small.frozen_mlp`."""

    name = "frozen_mlp"
    layered = False
    signs = True

    class Settings(Config):
        """The keys of its own that an entry may have."""

        features: Literal["mean", "first"] = Field("mean", description="of all tokens, or the first token's")
        hidden: PositiveInt = Field(256, description="width of the head's hidden layer")
        head_dropout: float = Field(0.1, ge=0, lt=1, description="dropout of the head")

    def start(self, config: Any, lesson: Lesson, view: View) -> PreTrainedModel:
        """The source's encoder with a fresh head."""
        from distill.models.encoder import input_names
        from distill.models.small.frozen_mlp import FrozenMlp, FrozenMlpConfig

        source = source_model(lesson)
        inner = source.config
        own = FrozenMlpConfig(
            encoder=inner.to_diff_dict() | {"model_type": inner.model_type},
            features=config.features,
            vocab_size=inner.vocab_size,
            hidden_size=inner.hidden_size,
            num_hidden_layers=inner.num_hidden_layers,
            type_vocab_size=inner.type_vocab_size if "token_type_ids" in input_names(source) else 0,
            head_size=config.hidden,
            head_dropout=config.head_dropout,
            pad_token_id=inner.pad_token_id,
        )
        model = FrozenMlp(named(own, lesson))
        model.encoder.load_state_dict(source.base_model.state_dict(), strict=False)
        return model
