"""Batches of similar length under a budget of padded tokens."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

NO_LIMIT = 2**31
"""More tokens and rows than any batch has: all in one batch."""


def batches(lengths: Sequence[int] | NDArray[np.int32], max_tokens: int, max_rows: int) -> list[NDArray[np.int64]]:
    """Indices of rows, batched so that rows × longest row stays within `max_tokens`.

    Longest rows come first, equal lengths in their given order: the same lengths always give the same batches, and
    the most memory is asked for at the start. A row longer than the budget is a batch of its own.

    Args: lengths: tokens of each row. max_rows: most rows of a batch.
    Raises: ValueError when `max_tokens` or `max_rows` is under 1.
    """
    if max_tokens < 1 or max_rows < 1:
        raise ValueError(f"a batch needs room: max_tokens {max_tokens}, max_rows {max_rows}")
    counts = np.asarray(lengths, dtype=np.int64)
    order = np.argsort(-counts, kind="stable")
    made, start = [], 0
    while start < len(order):
        longest = max(1, int(counts[order[start]]))
        rows = min(max_rows, max(1, max_tokens // longest))
        made.append(order[start : start + rows])
        start += rows
    return made
