"""A record: one example with its texts, gold and identity columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from distill.core.objectives.objective import Target


@dataclass(frozen=True, slots=True)
class Record:
    """One example.

    Attributes:
        id: unique across all splits.
        fields: column path (`page.title`) to text; missing and null values are ''.
        target: gold as float32 (C,), a one-hot row or a vote distribution; None for pool rows.
        slice: value of the reporting column, None without one.
        keys: key path to value ('' when missing), in the config's order.
    """

    id: str
    fields: Mapping[str, str]
    target: Target | None = None
    slice: str | None = None
    keys: Mapping[str, str] = field(default_factory=dict)
