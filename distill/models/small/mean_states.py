"""An encoder that is not trained, as the features of its texts: the mean of the states of their tokens."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers.modeling_outputs import SequenceClassifierOutput

from distill.models.small.over_encoder import OverEncoder, OverEncoderConfig, mean_of_tokens


class MeanStatesConfig(OverEncoderConfig):
    """No settings of its own."""

    model_type = "distill_mean_states"


class MeanStates(OverEncoder):
    """Token ids to features, in the place of logits: whatever opens a classifier opens it."""

    config_class = MeanStatesConfig

    def __init__(self, config: MeanStatesConfig) -> None:
        super().__init__(config, trained=False)
        self.finish()

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None, **unused: Any
    ) -> SequenceClassifierOutput:
        """Features (B, H) of token ids (B, S); mask and segment ids (B, S)."""
        states = self.states(input_ids, attention_mask, token_type_ids)
        return SequenceClassifierOutput(logits=mean_of_tokens(states, attention_mask))
