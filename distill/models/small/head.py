"""What the small classifiers share: a head with hidden layers, and a batch norm that takes single rows."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig

from distill.models.across_processes import summed, together


class BatchNorm(nn.BatchNorm1d):
    """Batch normalisation of values (B, F); a row that is alone in a batch has no variance, it takes the stored one.

    Of a batch that several processes share it is over the rows of all: PyTorch's own form of that needs a card.
    Source: Ioffe & Szegedy 2015, arXiv:1502.03167.

    Args: features: F. follows: whether it stands behind weights that are trained, so that what it has measured belongs
        to those weights, and is averaged where they are.
    """

    def __init__(self, features: int, *, follows: bool) -> None:
        super().__init__(features)
        self.follows_weights = follows

    def forward(self, values: Tensor) -> Tensor:
        """Values (B, F), by the mean and variance of the batch in training, else by the stored ones."""
        if self.training and together():
            return self._over_all(values)
        if self.training and len(values) == 1:
            return nn.functional.batch_norm(values, self.running_mean, self.running_var, self.weight, self.bias)
        return super().forward(values)

    def _over_all(self, values: Tensor) -> Tensor:
        """As `forward` in training, by the rows of all processes, of which each may have another number."""
        own = values.float()
        count = summed(own.new_tensor(len(own)))
        mean = summed(own.sum(0)) / count
        variance = summed((own - mean).square().sum(0)) / count
        assert self.running_mean is not None and self.running_var is not None and self.momentum is not None
        assert self.num_batches_tracked is not None
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
            self.num_batches_tracked.add_(1)
        return ((own - mean) * (variance + self.eps).rsqrt() * self.weight + self.bias).to(values.dtype)


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
