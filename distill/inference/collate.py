"""Windows padded to one rectangle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from distill.core.rendering import Window

Batch = dict[str, NDArray[np.int64]]
"""`input_ids`, `attention_mask` and `token_type_ids`, each int64 (B, S)."""


def collate(windows: Sequence[Window], pad_id: int) -> Batch:
    """A batch of windows, padded on the right to the longest of them.

    Returns: ids, mask (1 on tokens, 0 on padding) and segment ids, int64 (B, S).
    """
    shape = (len(windows), max(len(window.ids) for window in windows))
    ids = np.full(shape, pad_id, np.int64)
    mask, types = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for row, window in enumerate(windows):
        length = len(window.ids)
        ids[row, :length] = window.ids
        types[row, :length] = window.type_ids
        mask[row, :length] = 1
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
