"""Whether a fast way of opening a model may be taken: a few rows are read in that way and in plain fp32."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from distill.core.progress import note
from distill.families.family import DEFAULT, Opening, family_of, open_model
from distill.inference.scorer import Logits, Row

SAMPLE_ROWS = 32


def checked(folder: Path, how: Opening, rows: Sequence[Row], limit: float) -> Opening:
    """`how`, where it changes no logit of a sample by more than `limit`; else PyTorch in fp32, and a note says so.

    A model behind a server is asked nothing here, and one that has no such ways is not opened.

    Args: rows: of which up to 32 are read, evenly spread.
    """
    plainly = replace(how, backend=DEFAULT.backend, precision="fp32", unpadded=False, compiled=False)
    own = family_of(folder)
    if how == plainly or not rows or own.precision != "fp32" or own.is_remote_at(folder):
        return how
    count = min(len(rows), SAMPLE_ROWS)
    sample = [rows[index * len(rows) // count] for index in range(count)]
    fast, exact = (open_model(folder, replace(way, tokenisers=0)).score(sample).logits for way in (how, plainly))
    change = largest_change(fast, exact)
    if change <= limit:
        return how
    more = ", without padding," if how.unpadded else ", compiled," if how.compiled else ""
    way = f"{how.precision} in {how.backend}{more}"
    note(
        f"{folder.name}: {way} changes a logit by {change:.2g} on {count} rows, precision_limit is {limit:g}: "
        "it labels in fp32 in torch"
    )
    return plainly


def largest_change(logits: Logits, exact: Logits) -> float:
    """The largest difference of two logits (N, C); infinite where one alone is no number."""
    if (np.isfinite(logits) != np.isfinite(exact)).any():
        return float("inf")
    return float(np.abs(np.where(np.isfinite(exact), logits - exact, 0)).max())
