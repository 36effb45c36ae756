"""Where to train and label, and in which arithmetic."""

from __future__ import annotations

from typing import Literal

import torch

from distill.core.processes import local_rank, world
from distill.inference.bf16 import has_bf16 as has_bf16


def device() -> str:
    """`cuda` where PyTorch finds a CUDA device, else `cpu`. Of torchrun's processes each has a device of its own."""
    if not torch.cuda.is_available():
        return "cpu"
    if world() > 1:
        # The device that the Trainer takes when it is made, which for labels and 4-bit weights is too late or never.
        torch.cuda.set_device(local_rank() % torch.cuda.device_count())
    return "cuda"


def resolve(precision: str) -> Literal["fp32", "bf16"]:
    """`auto` as bf16 where the device multiplies bf16 in hardware, else fp32; other values as they are."""
    if precision == "auto":
        return "bf16" if has_bf16(device()) else "fp32"
    return "bf16" if precision == "bf16" else "fp32"
