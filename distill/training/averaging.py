"""A running average of a model's weights, which is measured and kept in place of the last ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import TrainerCallback

FILE = "average.safetensors"


class WeightAverage(TrainerCallback):
    """The average of the weights after every step, those after step t with a weight that grows as t^power.

    A constant learning rate keeps the weights jumping around a good place; their average is in it, as the weights of
    a decayed learning rate are, at every step and without knowing the last one. With power 7 it looks back over the
    last ninth of the run, on average, however long that is.

    Formula: average_t = β_t · average_(t−1) + (1 − β_t) · weights_t,  β_t = (1 − 1/t)^(power + 1).
    Source: Karras et al. 2023, "Analyzing and Improving the Training Dynamics of Diffusion Models", arXiv:2312.02696,
        section 3.1. For classifiers under a constant rate: Morales-Brotons et al. 2024, "Exponential Moving Average of
        Weights in Deep Learning", arXiv:2411.18704.

    With a decay it is the exponential moving average instead, which looks back over 1 / (1 − decay) steps however long
    the run is: β_t = decay, and 1 − 1/t while that is smaller, the plain mean of the first steps.

    What a module that `follows_weights` has measured of a batch, as batch normalisation does behind trained weights, is
    averaged with them.

    Args: model: whose trained weights are averaged; starts as its first average. power: larger looks back less far.
        decay: of an exponential average; None: the one of `power`.
    """

    def __init__(self, model: nn.Module, power: float, decay: float | None = None) -> None:
        self._model = model
        self._trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        self._measured = [
            f"{place}.{name}" if place else name
            for place, module in model.named_modules()
            if getattr(module, "follows_weights", False)
            for name, value in module.named_buffers(recurse=False)
            if value.is_floating_point()
        ]
        self._power, self._decay = power, decay
        self._average = {name: weight.detach().clone() for name, weight in self._weights.items()}

    def on_step_end(self, args: Any, state: Any, control: Any, **unused: Any) -> None:
        """Take the weights in."""
        self.take(state.global_step)

    @torch.no_grad()
    def take(self, step: int) -> None:
        """Take the weights after step `step`, counted from 1, into the average."""
        share = max(1 - self._decay, 1 / step) if self._decay else 1 - (1 - 1 / step) ** (self._power + 1)
        torch._foreach_lerp_(self._on_device(), [weight.detach() for weight in self._weights.values()], share)

    @contextmanager
    @torch.no_grad()
    def applied(self) -> Iterator[None]:
        """The model with the average in place of its weights."""
        own = [weight.detach().clone() for weight in self._weights.values()]
        self.apply()
        try:
            yield
        finally:
            for weight, kept in zip(self._weights.values(), own, strict=True):
                weight.copy_(kept)

    @torch.no_grad()
    def apply(self) -> None:
        """Give the model the average for good."""
        for weight, average in zip(self._weights.values(), self._on_device(), strict=True):
            weight.copy_(average)

    def save(self, folder: Path) -> None:
        """Write the average into a checkpoint."""
        folder.mkdir(parents=True, exist_ok=True)
        save_file({name: average.contiguous() for name, average in self._average.items()}, folder / FILE)

    def load(self, folder: Path) -> None:
        """Take up the average of a checkpoint."""
        self._average = load_file(folder / FILE)

    @property
    def _weights(self) -> dict[str, Tensor]:
        """What is averaged, by name; moving a model replaces what it has measured, so that is looked up."""
        return {**self._trained, **{name: self._model.get_buffer(name) for name in self._measured}}

    def _on_device(self) -> list[Tensor]:
        """The average, where the weights are: the Trainer may move the model after it was made."""
        for name, weight in self._weights.items():
            if self._average[name].device != weight.device:
                self._average[name] = self._average[name].to(weight.device)
        return [self._average[name] for name in self._weights]
