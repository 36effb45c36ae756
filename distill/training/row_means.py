"""Figures of tokens as figures of rows, so that a row weighs the same however long it is and however it is padded."""

from __future__ import annotations

import torch
from torch import Tensor


def row_means(values: Tensor, mask: Tensor, owner: Tensor, rows: int) -> Tensor:
    """The mean of each row's tokens, over all its windows.

    Args: values: float (W, S); where `mask` is 0 they may be any number. mask: (W, S), 1 on tokens. owner: (W,), the
        row of each window. rows: B.
    Returns: float (B,); 0 for a row without tokens.
    """
    real = mask.bool()
    sums = values.new_zeros(rows).index_add(0, owner, torch.where(real, values, 0.0).sum(1))
    counts = values.new_zeros(rows).index_add(0, owner, real.sum(1).to(values.dtype))
    return sums / counts.clamp_min(1)
