"""Where to train and label, and in which arithmetic."""

from __future__ import annotations

from typing import Literal

import torch

from distill.inference.bf16 import has_bf16 as has_bf16


def device() -> str:
    """`cuda` where PyTorch finds a CUDA device, else `cpu`."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def resolve(precision: str) -> Literal["fp32", "bf16"]:
    """`auto` as bf16 where the device multiplies bf16 in hardware, else fp32; other values as they are."""
    if precision == "auto":
        return "bf16" if has_bf16(device()) else "fp32"
    return "bf16" if precision == "bf16" else "fp32"
