"""What a label store has come to, in counts that add up over shards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from distill.core.soft_labels import SoftLabels


@dataclass(frozen=True)
class LabelCounts:
    """Counts of some rows.

    Attributes: tokens: of their rendered texts. statuses: rows by status. spared: rows that have the logits of a row
        that reads the same, as far as the process that labelled them tells.
    """

    rows: int = 0
    tokens: int = 0
    statuses: Mapping[str, int] = field(default_factory=dict)
    spared: int = 0

    @classmethod
    def of(cls, labels: SoftLabels, spared: int = 0) -> LabelCounts:
        """Those of a shard."""
        return cls(len(labels), int(labels.tokens.clip(0).sum()), dict(Counter(labels.status)), spared)

    def __add__(self, other: LabelCounts) -> LabelCounts:
        """Both together."""
        return LabelCounts(
            self.rows + other.rows,
            self.tokens + other.tokens,
            dict(Counter(self.statuses) + Counter(other.statuses)),
            self.spared + other.spared,
        )
