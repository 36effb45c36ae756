"""What the small classifiers share: a head with hidden layers, and a batch norm that takes single rows."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from transformers import PreTrainedConfig


class BatchNorm(nn.BatchNorm1d):
    """Batch normalisation of values (B, F); a row that is alone in a batch has no variance, it takes the stored one.

    Source: Ioffe & Szegedy 2015, arXiv:1502.03167.

    Args: features: F. follows: whether it stands behind weights that are trained, so that what it has measured belongs
        to those weights, and is averaged where they are.
    """

    def __init__(self, features: int, *, follows: bool) -> None:
        super().__init__(features)
        self.follows_weights = follows

    def forward(self, values: Tensor) -> Tensor:
        """Values (B, F), by the mean and variance of the batch in training, else by the stored ones."""
        if self.training and len(values) == 1:
            return nn.functional.batch_norm(values, self.running_mean, self.running_var, self.weight, self.bias)
        return super().forward(values)


class Head(nn.Sequential):
    """Features (B, F) to logits (B, K): linear, ReLU, dropout for each hidden layer, and a linear one.

    Args: hidden: width of the layer between, or of each of several. norm: batch normalisation before every ReLU.
    """

    def __init__(
        self, features: int, hidden: int | Sequence[int], outputs: int, dropout: float, *, norm: bool = False
    ) -> None:
        layers: list[nn.Module] = []
        for width in [hidden] if isinstance(hidden, int) else hidden:
            normed = [BatchNorm(width, follows=True)] if norm else []
            layers += [nn.Linear(features, width), *normed, nn.ReLU(), nn.Dropout(dropout)]
            features = width
        super().__init__(*layers, nn.Linear(features, outputs))


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
