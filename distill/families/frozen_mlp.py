"""A model that leaves the encoder as it is and trains a head with hidden layers on its features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from distill.core.view import View
from distill.families.encoder import Encoder
from distill.families.family import Lesson
from distill.families.small import HeadSettings, inner_sizes, named, require_encoder, take_encoder
from distill.families.starting import source_model

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class MlpOnFrozen(Encoder):
    """A head over a source that is not trained; see `distill.models.small.frozen_mlp`."""

    name = "frozen_mlp"
    layered = False
    signs = True

    class Settings(HeadSettings):
        """The keys of its own that an entry may have."""

        features: Literal["mean", "first"] = Field("mean", description="of all tokens, or the first token's")
        batch_norm: Literal["features", "all", "none"] = Field(
            "features", description="what is normalised over the batch: the features, the hidden layers too, or nothing"
        )

    def require(self, model: Any) -> None:
        """Check that the model's encoder can be read whole. Raises: UserError where weights of it are missing."""
        require_encoder(model)

    def start(self, config: Any, lesson: Lesson, view: View) -> PreTrainedModel:
        """The source's encoder with a fresh head. Raises: UserError when it is not the encoder of its family."""
        from distill.models.small.frozen_mlp import FrozenMlp, FrozenMlpConfig

        source = source_model(lesson)
        if isinstance(source, FrozenMlp):  # an earlier phase of its own
            return source
        head = {"head_size": config.hidden, "head_dropout": config.head_dropout, "batch_norm": config.batch_norm}
        own = FrozenMlpConfig(**inner_sizes(source), **head, features=config.features)
        model = FrozenMlp(named(own, lesson))
        take_encoder(model, source, lesson)
        return model
