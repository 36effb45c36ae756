"""An LSTM over the token states of an encoder that is trained with it, or left as it is."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from transformers.modeling_outputs import SequenceClassifierOutput

from distill.models.small.head import Head, outputs
from distill.models.small.lstm import read_tokens
from distill.models.small.over_encoder import OverEncoder, OverEncoderConfig


class EncoderLstmConfig(OverEncoderConfig):
    """`state_size`: of each direction; `both_ways`: whether there are two; `trained`: whether the encoder learns."""

    model_type = "distill_encoder_lstm"

    state_size: int = 64
    both_ways: bool = True
    trained: bool = True


class EncoderLstm(OverEncoder):
    """Token ids to logits: the encoder's states, read from left to right and back, their mean and maximum to the head.

    Source: LSTMs over contextual states as in Peters et al. 2018, arXiv:1802.05365; pooling as in
    `distill.models.small.lstm`.
    """

    config_class = EncoderLstmConfig
    plain_export = True  # read where it is exported

    def __init__(self, config: EncoderLstmConfig) -> None:
        super().__init__(config, trained=config.trained)
        self.forwards = nn.LSTM(config.hidden_size, config.state_size, batch_first=True)
        self.backwards = nn.LSTM(config.hidden_size, config.state_size, batch_first=True) if config.both_ways else None
        features = (4 if config.both_ways else 2) * config.state_size
        self.head = Head(features, config.head_size, outputs(config), config.head_dropout)
        self.finish()

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None, **unused: Any
    ) -> SequenceClassifierOutput:
        """Logits (B, K) of token ids (B, S), padded on the right; mask and segment ids (B, S)."""
        states = self.states(input_ids, attention_mask, token_type_ids)
        return SequenceClassifierOutput(
            logits=self.head(read_tokens(states, attention_mask, self.forwards, self.backwards))
        )
