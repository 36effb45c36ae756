"""A head with one hidden layer over the features of an encoder that is not trained."""

from __future__ import annotations

from typing import Any, Self

from torch import Tensor, nn
from transformers import CONFIG_MAPPING, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from distill.models.small.head import Head, draw, outputs, spread


class FrozenMlpConfig(PreTrainedConfig):
    """`encoder`: the config of the encoder, as JSON; `features`: its `mean` over tokens, or its `first` token."""

    model_type = "distill_frozen_mlp"

    encoder: dict[str, Any] | None = None
    features: str = "mean"
    vocab_size: int = 100
    hidden_size: int = 64
    num_hidden_layers: int = 2
    type_vocab_size: int = 0
    head_size: int = 128
    head_dropout: float = 0.1
    pad_token_id: int | None = 0


class FrozenMlp(PreTrainedModel):
    """Token ids to logits: the encoder's features, normalised by their mean and variance in training, then the head.

    Batch normalisation (Ioffe & Szegedy 2015, arXiv:1502.03167) stands before everything that is trained, so what it
    has measured belongs to the average of the weights as well as to each of them.
    """

    config_class = FrozenMlpConfig
    base_model_prefix = "encoder"
    _supports_sdpa = True

    def __init__(self, config: FrozenMlpConfig) -> None:
        super().__init__(config)
        inner = dict(config.encoder or {})
        own = CONFIG_MAPPING[inner.pop("model_type")].from_dict(inner)
        self.encoder = AutoModel.from_config(own, attn_implementation=config._attn_implementation)
        self.norm = nn.BatchNorm1d(config.hidden_size)
        self.head = Head(config.hidden_size, config.head_size, outputs(config), config.head_dropout)
        self.post_init()
        self.encoder.requires_grad_(False)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None, **unused: Any
    ) -> SequenceClassifierOutput:
        """Logits (B, K) of token ids (B, S); mask and segment ids (B, S)."""
        segments = (
            {} if token_type_ids is None or self.config.type_vocab_size < 2 else {"token_type_ids": token_type_ids}
        )
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask, **segments).last_hidden_state
        features = states[:, 0] if self.config.features == "first" else _mean(states, attention_mask)
        return SequenceClassifierOutput(logits=self.head(self._normalised(features)))

    def train(self, mode: bool = True) -> Self:
        """Training mode of the head; the encoder stays without dropout."""
        super().train(mode)
        self.encoder.train(False)
        return self

    def get_input_embeddings(self) -> nn.Module:
        """The encoder's."""
        return self.encoder.get_input_embeddings()

    def _normalised(self, features: Tensor) -> Tensor:
        """Features (B, H) after the norm; a row that is alone in a batch has no variance, it takes the stored one."""
        if self.training and len(features) == 1:
            norm = self.norm
            return nn.functional.batch_norm(features, norm.running_mean, norm.running_var, norm.weight, norm.bias)
        return self.norm(features)

    def _init_weights(self, module: nn.Module) -> None:
        draw(module)


def _mean(states: Tensor, mask: Tensor) -> Tensor:
    """The mean (B, H) of states (B, S, H) over tokens; mask (B, S)."""
    kept = spread(mask, states)
    return (states * kept).sum(1) / kept.sum(1).clamp(min=1)
