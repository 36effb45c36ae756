"""bf16 inference that keeps float32 where rounding would show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def has_bf16(device: str = "cpu") -> bool:
    """Whether the device multiplies matrices in bf16 in hardware; elsewhere it is emulated and slower than float32."""
    if torch.device(device).type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def to_bf16(model: PreTrainedModel) -> None:
    """Store the linear layers in bf16, in place, for a forward pass under bf16 autocast; the last one stays float32.

    The results are autocast's own, without casting every weight again for every batch. bf16 has 8 significant bits:
    a logit of 5 written in it moves by up to 0.016, which is why the layer of the logits is left out.
    """
    linears = [module for module in model.modules() if isinstance(module, nn.Linear)]
    last = next((linear for linear in reversed(linears) if linear.out_features == model.config.num_labels), None)
    for linear in linears:
        if linear is last:
            _forward_in_float32(linear)
        else:
            linear.to(torch.bfloat16)


def _forward_in_float32(linear: nn.Linear) -> None:
    forward = linear.forward

    def without_autocast(input: torch.Tensor) -> torch.Tensor:
        with torch.autocast(input.device.type, enabled=False):
            return forward(input.float())

    linear.forward = without_autocast  # type: ignore[method-assign]
