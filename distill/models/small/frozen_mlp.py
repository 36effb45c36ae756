"""A head over the features of an encoder that is not trained."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from transformers.modeling_outputs import SequenceClassifierOutput

from distill.models.small.head import BatchNorm, Head, outputs
from distill.models.small.over_encoder import OverEncoder, OverEncoderConfig, mean_of_tokens


class FrozenMlpConfig(OverEncoderConfig):
    """`features`: the `mean` over tokens, or the `first` one. `batch_norm`: of `features`, of `all`, or `none`."""

    model_type = "distill_frozen_mlp"

    features: str = "mean"
    batch_norm: str = "features"


class FrozenMlp(OverEncoder):
    """Token ids to logits: the encoder's features, normalised by their mean and variance in training, then the head.

    Batch normalisation of the features stands before everything that is trained, so what it has measured belongs to
    the average of the weights as well as to each of them; that of the hidden layers is averaged with the weights.
    """

    config_class = FrozenMlpConfig

    def __init__(self, config: FrozenMlpConfig) -> None:
        super().__init__(config, trained=False)
        self.norm = nn.Identity() if config.batch_norm == "none" else BatchNorm(config.hidden_size, follows=False)
        layers = config.hidden_size, config.head_size, outputs(config), config.head_dropout
        self.head = Head(*layers, norm=config.batch_norm == "all")
        self.finish()

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None, **unused: Any
    ) -> SequenceClassifierOutput:
        """Logits (B, K) of token ids (B, S); mask and segment ids (B, S)."""
        states = self.states(input_ids, attention_mask, token_type_ids)
        features = states[:, 0] if self.config.features == "first" else mean_of_tokens(states, attention_mask)
        return SequenceClassifierOutput(logits=self.head(self.norm(features)))
