"""Shape profiles of an engine, from the lengths of real records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from distill.core.files import Json

_MEDIAN, _LONG = 0.5, 0.9


def profiles(lengths: Mapping[int, int], inputs: Sequence[str], *, most_tokens: int, most_rows: int) -> list[Json]:
    """One profile for a single record, as it is served, and one for batches, as pools are read.

    TensorRT picks kernels for the usual shape and takes any between the least and the most. A single record is usually
    of the median length; a batch is as long as its longest record, so usually of the 90% quantile.

    Args: lengths: tokens of the windows of real records, with how often. inputs: of the graph. most_tokens: of the
        view. most_rows: of a batch.
    Returns: `{"inputs", "batch": [least, usual, most], "tokens": [least, usual, most]}`, the single record's first.
    """
    median, long = (_quantile(lengths, share) for share in (_MEDIAN, _LONG))
    most = max(most_tokens, *lengths)
    found = [((1, 1, 1), median)]
    if most_rows > 1:
        found.append(((2, (2 + most_rows) // 2, most_rows), long))
    return [{"inputs": list(inputs), "batch": list(batch), "tokens": [1, usual, most]} for batch, usual in found]


def _quantile(lengths: Mapping[int, int], share: float) -> int:
    values = np.repeat(list(lengths), list(lengths.values()))
    return int(np.quantile(values, share, method="inverted_cdf"))
