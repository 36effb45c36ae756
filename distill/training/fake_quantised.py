"""Linear layers that compute as their int8 form will, so that training can make up for its rounding.

Weights are rounded to S8 with a scale per output channel, what comes in to U8 with one scale, which follows the range
of what the layer has read so far. Rounding has no slope, so gradients pass it as they are where a value is inside its
range, and stop where it was clipped.

Source: Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference", arXiv:1712.05877, section 3: simulated rounding, ranges as exponential averages; Bengio et al. 2013,
"Estimating or Propagating Gradients Through Stochastic Neurons", arXiv:1308.3432: the straight-through gradient.
Departure: no delay before ranges are used, since training starts from a finished model. torchao rounds activations by
token and not by tensor, which a file with fixed scales cannot do.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from distill.core.errors import UserError
from distill.models.across_processes import lowest, together
from distill.models.encoder import layer_stack

SCALES = "activation_scales.safetensors"
_WEIGHTS = "model.safetensors"
_LOW, _HIGH = "activation_low", "activation_high"
_LEVELS, _WEIGHT_LEVELS = 255, 127
_NEW_SHARE = 0.01  # of a batch's ends in the running ones


class FakeQuantised(nn.Linear):
    """A linear layer that reads and multiplies rounded numbers; its state has the range of what it reads besides.

    Attributes: activation_low, activation_high: (), the running ends of what comes in; equal before the first batch.
    """

    activation_low: Tensor
    activation_high: Tensor

    def forward(self, input: Tensor) -> Tensor:
        """`input` (…, I) to (…, O); while training the range follows it."""
        if self.training:
            self._follow(input.detach())
        step, zero = scale(self.activation_low, self.activation_high)
        rounded = torch.fake_quantize_per_tensor_affine(input.float(), step, zero, 0, _LEVELS)
        return nn.functional.linear(rounded.to(input.dtype), self._rounded_weight(), self.bias)

    @torch.no_grad()
    def _follow(self, values: Tensor) -> None:
        low, high = values.amin().float(), values.amax().float()
        if together():
            low, high = lowest(torch.stack([low, -high])) * torch.tensor([1, -1], device=low.device)
        new = 1.0 if bool(self.activation_low == self.activation_high) else _NEW_SHARE
        self.activation_low.lerp_(low, new)
        self.activation_high.lerp_(high, new)

    def _rounded_weight(self) -> Tensor:
        weight = self.weight.float()
        steps = weight.detach().abs().amax(dim=1) / _WEIGHT_LEVELS
        steps = torch.where(steps > 0, steps, torch.ones_like(steps))
        zeros = torch.zeros_like(steps, dtype=torch.int32)
        rounded = torch.fake_quantize_per_channel_affine(weight, steps, zeros, 0, -_WEIGHT_LEVELS, _WEIGHT_LEVELS)
        return rounded.to(self.weight.dtype)


def scale(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Step and zero point (int32) of U8 that cover a range, widened to hold 0, exactly 0 among its values."""
    low, high = low.clamp(max=0), high.clamp(min=0)
    step = (high - low) / _LEVELS
    step = torch.where(step > 0, step, torch.ones_like(step))
    return step, torch.round(-low / step).clamp(0, _LEVELS).to(torch.int32)


def fake_quantise(model: PreTrainedModel) -> None:
    """Make the linear layers of the encoder's stack round, in place: those that int8 files replace.

    Raises: UserError where the stack has none.
    """
    found = [one for one in layer_stack(model).modules() if type(one) is nn.Linear]
    if not found:
        raise UserError(
            "int8 has nothing to round in this family",
            found=f"model_type '{model.config.model_type}'",
            do="take the target out of export, or an encoder with linear layers",
        )
    for layer in found:
        layer.__class__ = FakeQuantised
        for name in (_LOW, _HIGH):
            layer.register_buffer(name, torch.zeros((), dtype=torch.float32))


def take_apart(folder: Path) -> None:
    """Make the weights of a model folder plain ones again, and keep the scales of activations in a file of their own:
    `NAME.step` and `NAME.zero` of each layer.
    """
    state = load_file(folder / _WEIGHTS)
    names = sorted(key.removesuffix(f".{_LOW}") for key in state if key.endswith(f".{_LOW}"))
    found: dict[str, Tensor] = {}
    for name in names:
        step, zero = scale(state.pop(f"{name}.{_LOW}"), state.pop(f"{name}.{_HIGH}"))
        found |= {f"{name}.step": step, f"{name}.zero": zero}
    if found:
        save_file(found, folder / SCALES)
        save_file(state, folder / _WEIGHTS, metadata={"format": "pt"})
