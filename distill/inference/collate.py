"""Windows padded to one rectangle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.core.rendering import Window

Batch = dict[str, NDArray[np.int64]]
"""`input_ids`, `attention_mask` and `token_type_ids`, each int64 (B, S)."""

_PAD_TOKENS = ("[PAD]", "<pad>", "<|pad|>", "<|padding|>")


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


def pad_id(source: Path | Any) -> int:
    """The padding id of a model folder or of a `tokenizers.Tokenizer`; 0 where it names none.

    Padding is masked, so 0 changes no logit of a model that has no padding token.
    """
    if isinstance(source, Path):
        from tokenizers import Tokenizer

        source = Tokenizer.from_file(str(source / "tokenizer.json"))
    found = (source.token_to_id(token) for token in _PAD_TOKENS)
    return next((token_id for token_id in found if token_id is not None), 0)
