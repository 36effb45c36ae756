"""An encoder with an LSTM over its token states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, PositiveInt

from distill.core.view import View
from distill.families.encoder import Encoder
from distill.families.family import Lesson
from distill.families.small import HeadSettings, inner_sizes, named, require_encoder, take_encoder
from distill.families.starting import source_model

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class LstmOverEncoder(Encoder):
    """An LSTM over all tokens of a source; see `distill.models.small.encoder_lstm`."""

    name = "encoder_lstm"
    layered = False
    signs = True

    class Settings(HeadSettings):
        """The keys of its own that an entry may have."""

        encoder: Literal["train", "frozen"] = Field(
            "train", description="frozen: the encoder stays as it is, and only LSTM and head learn"
        )
        state: PositiveInt = Field(256, description="width of the state of each direction")
        directions: Literal[1, 2] = Field(2, description="2: tokens are read from either end; 1: from the first one on")

    def require(self, model: Any) -> None:
        """Check that the model's encoder can be read whole. Raises: UserError where weights of it are missing."""
        require_encoder(model)

    def start(self, config: Any, lesson: Lesson, view: View) -> PreTrainedModel:
        """The source's encoder, LSTM and head fresh. Raises: UserError when it is not the encoder of its family."""
        from distill.models.small.encoder_lstm import EncoderLstm, EncoderLstmConfig

        source = source_model(lesson)
        if isinstance(source, EncoderLstm):  # an earlier phase of its own
            return source
        over = {"state_size": config.state, "both_ways": config.directions == 2, "trained": config.encoder == "train"}
        head = {"head_size": config.hidden, "head_dropout": config.head_dropout}
        model = EncoderLstm(named(EncoderLstmConfig(**inner_sizes(source), **over, **head), lesson))
        take_encoder(model, source, lesson)
        return model
