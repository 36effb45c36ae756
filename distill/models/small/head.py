"""What the small classifiers share: a head with one hidden layer."""

from __future__ import annotations

from torch import Tensor, nn
from transformers import PreTrainedConfig


class Head(nn.Sequential):
    """Features (B, F) to logits (B, K): linear, ReLU, dropout, linear. Args: hidden: width of the layer between."""

    def __init__(self, features: int, hidden: int, outputs: int, dropout: float) -> None:
        super().__init__(nn.Linear(features, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, outputs))


def outputs(config: PreTrainedConfig) -> int:
    """K, the number of logits."""
    assert config.num_labels is not None
    return config.num_labels


def draw(module: nn.Module) -> None:
    """Fresh weights of a linear layer: Kaiming's for its fan-in, biases 0; other modules keep what they have."""
    if isinstance(module, nn.Linear):
        nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
        nn.init.zeros_(module.bias)


def spread(mask: Tensor, like: Tensor) -> Tensor:
    """A mask (B, S) as factors (B, S, 1) of the values (B, S, H)."""
    return mask.to(like.dtype).unsqueeze(-1)
