"""A bidirectional LSTM over token embeddings."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from distill.models.small.head import Head, draw, outputs, spread

_NEVER = -1e4  # below every state of an LSTM, whose states are within (−1, 1)


class LstmConfig(PreTrainedConfig):
    """Sizes of an LSTM. `hidden_size`: of the embeddings; `state_size`: of each direction; `head_size`: of the head."""

    model_type = "distill_lstm"
    num_hidden_layers = 0

    vocab_size: int = 100
    hidden_size: int = 64
    state_size: int = 64
    head_size: int | list[int] = 128
    head_dropout: float = 0.1
    pad_token_id: int | None = 0


class Lstm(PreTrainedModel):
    """Token ids to logits: both directions read the tokens, mean and maximum over them go to the head.

    The direction that reads backwards starts at a row's last token, so padding changes nothing.
    Source: Hochreiter & Schmidhuber 1997; distilled from BERT by Tang et al. 2019, arXiv:1903.12136.
    """

    config_class = LstmConfig
    base_model_prefix = "embeddings"
    plain_export = True  # read where it is exported

    def __init__(self, config: LstmConfig) -> None:
        super().__init__(config)
        self.embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.forwards = nn.LSTM(config.hidden_size, config.state_size, batch_first=True)
        self.backwards = nn.LSTM(config.hidden_size, config.state_size, batch_first=True)
        self.head = Head(4 * config.state_size, config.head_size, outputs(config), config.head_dropout)
        self.post_init()

    def forward(self, input_ids: Tensor, attention_mask: Tensor, **unused: Any) -> SequenceClassifierOutput:
        """Logits (B, K) of token ids (B, S), padded on the right; mask (B, S)."""
        features = read_tokens(self.embeddings(input_ids), attention_mask, self.forwards, self.backwards)
        return SequenceClassifierOutput(logits=self.head(features))

    def get_input_embeddings(self) -> nn.Module:
        """The token embeddings."""
        return self.embeddings

    def _init_weights(self, module: nn.Module) -> None:
        draw(module)


def read_tokens(values: Tensor, mask: Tensor, forwards: nn.LSTM, backwards: nn.LSTM | None) -> Tensor:
    """Mean and maximum over the tokens of what LSTMs make of them: features (B, 2·D) of D states a token.

    Args: values: (B, S, H). mask: (B, S). backwards: reads each row from its last token on; None: one direction.
    """
    states = _states(forwards, values)
    if backwards is not None:
        behind = _states(backwards, _mirror(values, mask))
        states = torch.cat([states, behind], -1)  # of tokens in either order: mean and maximum do not see it
    kept = spread(mask, states)
    mean = (states * kept).sum(1) / kept.sum(1).clamp(min=1)
    greatest = (states + _NEVER * (1 - kept)).amax(1)
    return torch.cat([mean, greatest], -1)


def _states(lstm: nn.LSTM, values: Tensor) -> Tensor:
    """What an LSTM makes of values (B, S, H): states (B, S, D), on a card in float32.

    There autocast computes LSTMs in fp16, whichever type it has, and most of their gradients would be below its least
    number: the loss is not scaled for bf16. A processor's autocast keeps to its type.
    """
    if values.device.type == "cpu":
        return lstm(values)[0]
    with torch.autocast(values.device.type, enabled=False):
        return lstm(values.float())[0]


def _mirror(embedded: Tensor, mask: Tensor) -> Tensor:
    """Embeddings (B, S, H) with each row's tokens in reverse order, its padding where it was; mask (B, S)."""
    places = torch.arange(embedded.shape[1], device=mask.device).unsqueeze(0)
    tokens = mask.sum(1, keepdim=True)
    taken = torch.where(places < tokens, tokens - 1 - places, places)
    return embedded.gather(1, taken.unsqueeze(-1).expand_as(embedded))
