"""Arithmetic of an encoder's forward pass, and how much of it the device can do at best."""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

from distill.core.files import Json

if TYPE_CHECKING:
    import torch

_SIZE, _TINY_SIZE, _ROUNDS = 8192, 256, 10


def forward_flops(lengths: Sequence[int], layers: int, width: int) -> float:
    """Floating-point operations of reading rows of these lengths, without padding, multiply and add counted apart.

    A layer costs 24·H² per token (queries, keys, values and output 8·H², feed-forward of 4·H 16·H²) and 4·S·H for the
    two products of attention. The last layer makes keys and values of all tokens, 4·H², and the rest for the first one.

    Args: lengths: tokens of each row, special ones included. width: H.
    """
    tokens = sum(lengths)
    attention = sum(length * length for length in lengths)
    full = 24 * width**2 * tokens + 4 * width * attention
    return float((layers - 1) * full + 4 * width**2 * tokens + 20 * width**2 * len(lengths))


def peak(device: str) -> Json:
    """The rate of a large product of random matrices: bf16 on a card, fp32 on the processor.

    Returns: `size`, `dtype`, `tflops`: of the median of ten products, after three that warm up.
    """
    import torch

    card = device == "cuda"
    size, dtype = (_SIZE, torch.bfloat16) if card else (_TINY_SIZE, torch.float32)
    return {"size": size, "dtype": str(dtype).removeprefix("torch."), "tflops": product_rate(device, dtype, size)}


def product_rate(device: str, dtype: torch.dtype, size: int, rounds: int = _ROUNDS) -> float:
    """TFLOP/s of a product of two random matrices (size, size): of the median, after three that warm up."""
    import torch

    generator = torch.Generator(device).manual_seed(1)
    left, right = (torch.randn(size, size, device=device, generator=generator).to(dtype) for _ in range(2))
    seconds = []
    for _ in range(3 + rounds):
        synchronise(device)
        started = time.perf_counter()
        torch.matmul(left, right)
        synchronise(device)
        seconds.append(time.perf_counter() - started)
    return float(2 * size**3 / median(seconds[3:]) / 1e12)


def synchronise(device: str) -> None:
    """Wait until the device has done all that it was given."""
    import torch

    if device == "cuda":
        torch.cuda.synchronize()
