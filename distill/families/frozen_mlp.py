"""A student that leaves the encoder as it is and trains a head with one hidden layer on its features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from distill.core.errors import UserError
from distill.core.view import View
from distill.families.encoder import Encoder
from distill.families.family import Lesson
from distill.families.small import HeadSettings, named
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

    def start(self, config: Any, lesson: Lesson, view: View) -> PreTrainedModel:
        """The source's encoder with a fresh head. Raises: UserError when it is not the encoder of its family."""
        from distill.models.encoder import input_names
        from distill.models.small.frozen_mlp import FrozenMlp, FrozenMlpConfig
        from distill.models.two_layer_head import family_of

        source = source_model(lesson)
        inner = source.config
        own = FrozenMlpConfig(
            encoder=inner.to_diff_dict() | {"model_type": family_of(inner)},
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
        missing, _ = model.encoder.load_state_dict(source.base_model.state_dict(), strict=False)
        if lost := [name for name in missing if not name.startswith("pooler.")]:  # what no feature passes through
            raise UserError(
                "the source lacks weights of its family's encoder, so its features would be random",
                where=str(lesson.source),
                found=f"{len(lost)} missing, first {lost[0]}",
                do="take an encoder of another family, or a student of the family encoder",
            )
        return model
