"""A bag of tokens: the weighted mean of static embeddings of each side, and a head over the two."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from distill.models.small.head import Head, draw, outputs, spread

_LEAST = 1e-6  # total weight of a side without any token


class BagConfig(PreTrainedConfig):
    """Sizes of a bag. `hidden_size` is the width of the embeddings, `head_size` that of the head's hidden layer."""

    model_type = "distill_bag"
    num_hidden_layers = 0

    vocab_size: int = 100
    hidden_size: int = 64
    head_size: int | list[int] = 128
    head_dropout: float = 0.1
    type_vocab_size: int = 2
    pad_token_id: int | None = 0


class Bag(PreTrainedModel):
    """Token ids to logits, whatever the order of the tokens within a side.

    With the mean u = Σ w_t·e_t / Σ w_t over the tokens of the left side and v over those of the right one, the head
    reads [u; v; |u−v|; u·v]. The weights w are fixed, the embeddings e are trained. A tokenizer without segment ids
    puts all tokens on the left.
    Source: weights as in Arora et al. 2017, "A Simple but Tough-to-Beat Baseline for Sentence Embeddings"; pairs as in
    Conneau et al. 2017, arXiv:1705.02364.
    """

    config_class = BagConfig
    base_model_prefix = "embeddings"

    def __init__(self, config: BagConfig) -> None:
        super().__init__(config)
        self.embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.register_buffer("weights", torch.ones(config.vocab_size))
        self.head = Head(4 * config.hidden_size, config.head_size, outputs(config), config.head_dropout)
        self.post_init()

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None, **unused: Any
    ) -> SequenceClassifierOutput:
        """Logits (B, K) of token ids (B, S); mask and segment ids (B, S), 1 on the right side's tokens."""
        assert isinstance(self.weights, Tensor)
        right = torch.zeros_like(input_ids) if token_type_ids is None else token_type_ids
        weights, embedded = self.weights[input_ids] * attention_mask, self.embeddings(input_ids)
        u, v = (_mean(embedded, weights * side) for side in (1 - right, right))
        return SequenceClassifierOutput(logits=self.head(torch.cat([u, v, (u - v).abs(), u * v], -1)))

    def get_input_embeddings(self) -> nn.Module:
        """The static embeddings."""
        return self.embeddings

    def _init_weights(self, module: nn.Module) -> None:
        draw(module)


def _mean(embedded: Tensor, weights: Tensor) -> Tensor:
    """The weighted mean (B, H) of embeddings (B, S, H); 0 where no token has a weight (B, S)."""
    return (embedded * spread(weights, embedded)).sum(1) / weights.sum(1, keepdim=True).clamp(min=_LEAST)
