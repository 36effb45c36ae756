"""Which columns are no text for a model, and why: they say nothing, or they say the label."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from distill.core.guessing.columns import Column
from distill.core.rendering import lookup

_NEARLY, _GAIN = 0.99, 0.05
_ROWS_PER_VALUE = 5
_PARTS = ("split", "fold", "partition", "subset")


def why_left_out(column: Column, rows: Sequence[Mapping[str, Any]], label: str) -> str | None:
    """Why a text column is not proposed, in words; None for one that is. Args: rows: the sample that it is from."""
    counts = Counter(map(str, column.values))
    if counts and counts.most_common(1)[0][1] >= _NEARLY * len(column.values):
        return "one value in nearly all rows"
    if column.name.lower() in _PARTS:
        return "names the part of the data"
    return "gives the label away" if _tells(column, counts, rows, label) else None


def _tells(column: Column, counts: Counter[str], rows: Sequence[Mapping[str, Any]], label: str) -> bool:
    """Whether the label follows from the value in nearly every row, though it has values that many rows share."""
    if not counts or len(column.values) < _ROWS_PER_VALUE * len(counts):
        return False
    golds: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        value, gold = lookup(row, column.path), lookup(row, label)
        if value is not None and gold is not None:
            golds[str(value)][str(gold)] += 1
    total = sum(golds.values(), Counter[str]())
    if len(total) < 2:
        return False
    told = sum(own.most_common(1)[0][1] for own in golds.values()) / total.total()
    return told >= _NEARLY and told - total.most_common(1)[0][1] / total.total() >= _GAIN
