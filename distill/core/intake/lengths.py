"""Token lengths of records under a view: quantiles, histograms, and the share of tokens that no window reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.core.records import Record
from distill.core.rendering import Renderer, field_text

QUANTILES = (10, 25, 50, 75, 90, 95, 99)
BINS = 40
_BATCH_ROWS = 256
FIELD_ROWS = 500
"""About so many records tell which fields are never read."""
_MOSTLY = 0.5


@dataclass(frozen=True)
class Lengths:
    """Tokens of each record before any cut, and how many of those no window reads: int64 (N,) each."""

    tokens: NDArray[np.int64]
    cut_tokens: NDArray[np.int64]


def measure(renderer: Renderer, records: Sequence[Record]) -> Lengths:
    """Tokenise records as the view says."""
    counts = [
        (encoded.tokens, encoded.cut_tokens)
        for start in range(0, len(records), _BATCH_ROWS)
        for encoded in renderer.encode_batch([record.fields for record in records[start : start + _BATCH_ROWS]])
    ]
    table = np.array(counts, np.int64).reshape(len(counts), 2)
    return Lengths(table[:, 0], table[:, 1])


def quantiles(lengths: Lengths) -> dict[str, int]:
    """`{"q10", …, "q99", "max"}` in tokens, rounded up; empty without rows."""
    if not len(lengths.tokens):
        return {}
    found = np.quantile(lengths.tokens, np.array(QUANTILES) / 100, method="inverted_cdf")
    return {f"q{q}": int(value) for q, value in zip(QUANTILES, found, strict=True)} | {"max": int(lengths.tokens.max())}


def histogram(parts: Sequence[Lengths]) -> dict[str, list[int]]:
    """`{"edges": (40 + 1), "counts": (40)}` from 0 to the 99% quantile; longer records count in the last bin."""
    tokens = np.concatenate([part.tokens for part in parts])
    top = int(np.quantile(tokens, 0.99, method="inverted_cdf")) if len(tokens) else 1
    step = max(1, -(-top // BINS))
    edges = np.arange(BINS + 1) * step
    counts, _ = np.histogram(np.minimum(tokens, edges[-1]), edges)
    return {"edges": edges.tolist(), "counts": counts.tolist()}


def unread_share(parts: Sequence[Lengths]) -> float:
    """Share of all tokens that no window reads."""
    tokens = sum(int(part.tokens.sum()) for part in parts)
    return sum(int(part.cut_tokens.sum()) for part in parts) / tokens if tokens else 0.0


def unread_fields(renderer: Renderer, records: Sequence[Record]) -> dict[str, float]:
    """Field of which no window reads anything in over half of its rows, to their share.

    Such a field stands behind others that fill the view: without it the windows are the same. Args: renderer: with a
    model's tokenizer, as words that are only counted have no ids of their own. records: about `FIELD_ROWS`.
    """
    rows = [record.fields for record in records]
    whole = renderer.encode_batch(rows)
    found: dict[str, float] = {}
    for path in [*renderer.left, *renderer.right]:
        filled = [at for at, fields in enumerate(rows) if field_text(fields, path)]
        cut = [at for at in filled if whole[at].cut_tokens]
        without = renderer.encode_batch([{**rows[at], path: ""} for at in cut])
        unread = sum(whole[at].windows == one.windows for at, one in zip(cut, without, strict=True))
        if unread > _MOSTLY * len(filled):
            found[path] = unread / len(filled)
    return found


def same_texts(renderers: Mapping[str, Renderer], records: Sequence[Record]) -> int:
    """Records whose document and card render the same text, after budgets and before `max_tokens`."""
    document, card = renderers["document"], renderers["card"]
    return sum(_same(document, card, record.fields) for record in records)


def _same(document: Renderer, card: Renderer, fields: Mapping[str, Any]) -> bool:
    return document.text(fields) == card.text(fields)
