"""What the classifiers over the states of a whole encoder share: the encoder, trained or not."""

from __future__ import annotations

from typing import Any, Self

from torch import Tensor, nn
from transformers import CONFIG_MAPPING, AutoModel, PreTrainedConfig, PreTrainedModel

from distill.models.small.head import draw, spread


class OverEncoderConfig(PreTrainedConfig):
    """`encoder`: the config of the encoder, as JSON; sizes other than the head's are the encoder's."""

    encoder: dict[str, Any] | None = None
    vocab_size: int = 100
    hidden_size: int = 64
    num_hidden_layers: int = 2
    type_vocab_size: int = 0
    head_size: int | list[int] = 128
    head_dropout: float = 0.1
    pad_token_id: int | None = 0


class OverEncoder(PreTrainedModel):
    """An encoder, and what a subclass puts over the states of its last layer.

    Args: trained: whether the encoder learns; one that does not stays without dropout.
    """

    config_class = OverEncoderConfig
    base_model_prefix = "encoder"
    _supports_sdpa = True

    def __init__(self, config: OverEncoderConfig, *, trained: bool) -> None:
        super().__init__(config)
        inner = dict(config.encoder or {})
        own = CONFIG_MAPPING[inner.pop("model_type")].from_dict(inner)
        # The encoder's own fast attention, where its family has one: this class is asked for it on its behalf.
        attention = None if config._attn_implementation == "sdpa" else config._attn_implementation
        self.encoder = AutoModel.from_config(own, attn_implementation=attention)
        self._trained = trained

    def finish(self) -> None:
        """Draw fresh weights and stop the encoder's gradients where it is not trained; a subclass's last line."""
        self.post_init()
        self.encoder.requires_grad_(self._trained)

    def states(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None) -> Tensor:
        """States (B, S, H) of token ids (B, S); mask and segment ids (B, S)."""
        segments = (
            {} if token_type_ids is None or self.config.type_vocab_size < 2 else {"token_type_ids": token_type_ids}
        )
        found: Tensor = self.encoder(input_ids=input_ids, attention_mask=attention_mask, **segments).last_hidden_state
        return found

    def train(self, mode: bool = True) -> Self:
        """Training mode, of an encoder that is not trained without its dropout."""
        super().train(mode)
        if not self._trained:
            self.encoder.train(False)
        return self

    def get_input_embeddings(self) -> nn.Module:
        """The encoder's."""
        return self.encoder.get_input_embeddings()

    def _init_weights(self, module: nn.Module) -> None:
        draw(module)


def mean_of_tokens(states: Tensor, mask: Tensor) -> Tensor:
    """The mean (B, H) of states (B, S, H) over tokens; mask (B, S)."""
    kept = spread(mask, states)
    return (states * kept).sum(1) / kept.sum(1).clamp(min=1)
