"""What processes that train together know of each other's parts of a batch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed

from distill.core.processes import world


def together() -> bool:
    """Whether a batch is shared among several processes."""
    return world() > 1 and distributed.is_initialized()


def summed(values: Tensor) -> Tensor:
    """The sum of a tensor over all processes, in each of them; gradients come back from all. Each has to ask."""
    found: Tensor = _Summed.apply(values)  # type: ignore[no-untyped-call]
    return found


def lowest(values: Tensor) -> Tensor:
    """The lowest of each number over all processes, in each of them; without gradients. Each has to ask."""
    found = values.detach().clone()
    distributed.all_reduce(found, distributed.ReduceOp.MIN)
    return found


class _Summed(torch.autograd.Function):
    """PyTorch's own is deprecated, or made for compiled graphs."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return summed(gradient.contiguous())
