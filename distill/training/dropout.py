"""Dropout that costs less on a processor: the same distribution from 16 random bits a number.

PyTorch draws a Bernoulli number for each value, which takes longer than much of a small encoder's own arithmetic. Here
four values share one draw of 64 bits, and what is kept is told by vectorised arithmetic alone. The bits come from
PyTorch's generator, so that a run that was cut off goes on with the numbers that it would have drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

_VALUES = 2**16
_AT_ONCE = 4


def kept(values: Tensor, rate: float) -> Tensor:
    """Independent factors of the shape and type of `values`: 0 with probability `rate`, otherwise 1/(1 − rate).

    The rate is the nearest of 65,536 equal steps, and the factor is that of the rate which is drawn: the mean is 1.
    """
    dropped = round(rate * _VALUES)
    if dropped == _VALUES:
        return torch.zeros_like(values)
    draws = torch.empty(-(-values.numel() // _AT_ONCE), dtype=torch.int64).random_(-(2**63), None)
    bits = draws.view(torch.int16)[: values.numel()].view(values.shape)
    factor = _VALUES / (_VALUES - dropped)
    # Drawn numbers are whole: those from the border on are half a step above it, the others half a step below.
    border = dropped - _VALUES // 2 - 0.5
    return bits.to(torch.float32).sub_(border).mul_(2 * factor).clamp_(0, factor).to(values.dtype)


class CheapDropout(TorchFunctionMode):
    """While it is active, dropout of values on a processor draws its numbers as `kept` does, in attention too.

    It stands for the functions that layers call, so it knows no family of models; what is not dropped is as it was.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """The result of a function of PyTorch's."""
        own = _OWN.get(func)
        return (own or func)(*args, **(kwargs or {}))


def _dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    if not training or not p or input.device.type != "cpu":
        return functional.dropout(input, p, training, inplace)
    return input.mul_(kept(input, p)) if inplace else input * kept(input, p)


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    **options: Any,
) -> Tensor:
    """softmax(Q · Kᵀ · scale + mask) · V, weights dropped out. Args: as the function that it stands for."""
    scale = options.get("scale")
    others = options.get("is_causal") or options.get("enable_gqa")
    if not dropout_p or others or query.device.type != "cpu":
        return functional.scaled_dot_product_attention(query, key, value, attn_mask, dropout_p, **options)
    scores = (query * (query.shape[-1] ** -0.5 if scale is None else scale)) @ key.transpose(-1, -2)
    if attn_mask is not None:
        scores = scores + _added(attn_mask, scores.dtype)
    weights = scores.softmax(-1)
    found: Tensor = (weights * kept(weights, dropout_p)).to(value.dtype) @ value
    return found


def _added(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """What is added to scores; a mask that is true on tokens is filled, for it is smaller than they are."""
    if mask.dtype != torch.bool:
        return mask
    return torch.zeros(mask.shape, dtype=dtype).masked_fill_(~mask, torch.finfo(dtype).min)


_OWN: Mapping[Callable[..., Any], Callable[..., Any]] = {
    functional.dropout: _dropout,
    functional.scaled_dot_product_attention: _attention,
}
