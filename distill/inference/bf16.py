"""bf16 inference that keeps float32 where rounding would show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from distill.core.errors import UserError
from distill.models.encoder import layer_stack
from distill.models.first_token import reading_one_token

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def has_bf16(device: str = "cpu") -> bool:
    """Whether the device multiplies matrices in bf16 in hardware; elsewhere it is emulated and slower than float32."""
    if torch.device(device).type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def to_bf16(model: PreTrainedModel, exact_layers: int = 0) -> None:
    """Store the linear layers in bf16, in place, for a forward pass under bf16 autocast; those that read one token of
    each text stay float32, and so do the last layers, attention included, where some are to be exact.

    The results are autocast's own, without casting every weight again for every batch. bf16 has 8 significant bits:
    a logit of 5 written in it moves by up to 0.016. The head, and what is left of a last layer that is computed for the
    first token only, are next to nothing of the work, and their rounding would go into the logits as it is: in float32
    the largest change of a logit was a fifth smaller on pairs of offers (6 × 384).

    Args: exact_layers: how many of the last layers calculate in float32, fewer than there are.
    Raises: UserError when there are to be some, and the encoder has no stack of layers.
    """
    linears = [module for module in model.modules() if isinstance(module, nn.Linear)]
    exact: list[nn.Module] = [*layer_stack(model)[-exact_layers:]] if exact_layers else []
    inside = {id(part) for layer in exact for part in layer.modules()}
    exact += [linear for linear in _reading_one_token(model, linears) if id(linear) not in inside]
    for module in exact:
        _forward_in_float32(module)
    kept = inside | set(map(id, exact))
    for linear in linears:
        if id(linear) not in kept:
            linear.to(torch.bfloat16)


def _reading_one_token(model: PreTrainedModel, linears: Sequence[nn.Linear]) -> list[nn.Linear]:
    """The layers of the head, and those of the last layer that read the first token alone."""
    try:
        stack = layer_stack(model)
    except UserError:  # its layers share their weights: of the head the layer of the logits is known
        return [linear for linear in linears if linear.out_features == model.config.num_labels][-1:]
    inside = set(map(id, stack.modules()))
    last = max((at for at, linear in enumerate(linears) if id(linear) in inside), default=-1)
    return [*reading_one_token(stack[-1]), *linears[last + 1 :]]


def _forward_in_float32(module: nn.Module) -> None:
    forward = module.forward

    def without_autocast(hidden: torch.Tensor, *others: Any, **named: Any) -> Any:
        others, named = tuple(map(_float32, others)), {name: _float32(value) for name, value in named.items()}
        with torch.autocast(hidden.device.type, enabled=False):
            return forward(hidden.float(), *others, **named)

    module.forward = without_autocast


def _float32(value: Any) -> Any:
    return value.float() if isinstance(value, torch.Tensor) and value.is_floating_point() else value
