"""A head with one hidden layer over the features of an encoder that is not trained."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from transformers.modeling_outputs import SequenceClassifierOutput

from distill.models.small.head import Head, outputs
from distill.models.small.over_encoder import OverEncoder, OverEncoderConfig, mean_of_tokens


class FrozenMlpConfig(OverEncoderConfig):
    """`features`: the encoder's `mean` over tokens, or its `first` token."""

    model_type = "distill_frozen_mlp"

    features: str = "mean"


class FrozenMlp(OverEncoder):
    """Token ids to logits: the encoder's features, normalised by their mean and variance in training, then the head.

    Batch normalisation (Ioffe & Szegedy 2015, arXiv:1502.03167) stands before everything that is trained, so what it
    has measured belongs to the average of the weights as well as to each of them.
    """

    config_class = FrozenMlpConfig

    def __init__(self, config: FrozenMlpConfig) -> None:
        super().__init__(config, trained=False)
        self.norm = nn.BatchNorm1d(config.hidden_size)
        self.head = Head(config.hidden_size, config.head_size, outputs(config), config.head_dropout)
        self.finish()

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None, **unused: Any
    ) -> SequenceClassifierOutput:
        """Logits (B, K) of token ids (B, S); mask and segment ids (B, S)."""
        states = self.states(input_ids, attention_mask, token_type_ids)
        features = states[:, 0] if self.config.features == "first" else mean_of_tokens(states, attention_mask)
        return SequenceClassifierOutput(logits=self.head(self._normalised(features)))

    def _normalised(self, features: Tensor) -> Tensor:
        """Features (B, H) after the norm; a row that is alone in a batch has no variance, it takes the stored one."""
        if self.training and len(features) == 1:
            norm = self.norm
            return nn.functional.batch_norm(features, norm.running_mean, norm.running_var, norm.weight, norm.bias)
        return self.norm(features)
