"""What an export is measured by and calibrated on: real records, never those of a test split."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from distill.core.records import Record

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Sample:
    """Records with what is known of them. Attributes: rows: their fields. gold: (N, C); None where it is unknown."""

    rows: Sequence[Row]
    gold: NDArray[np.float32] | None = None

    @classmethod
    def of(cls, records: Sequence[Record]) -> Self:
        """The sample of these records; without gold where one of them has none."""
        gold = [record.target for record in records if record.target is not None]
        known = bool(gold) and len(gold) == len(records)
        return cls([record.fields for record in records], np.stack(gold).astype(np.float32) if known else None)

    def spread(self, most: int) -> Self:
        """At most so many of the records, evenly spread."""
        count = min(most, len(self.rows))
        chosen = [index * len(self.rows) // count for index in range(count)]
        rows = [self.rows[index] for index in chosen]
        return type(self)(rows, None if self.gold is None else self.gold[chosen])


@dataclass(frozen=True)
class Evidence:
    """The records of an export.

    Attributes:
        judging: what `parity.json` is measured on. choosing: other records, on which what a target chooses is chosen;
            None: the same ones.
        calibration: reads records whose activations fix scales, neither judging nor choosing ones.
        labels: the task's classes; none: those that the model's config names. rules: least precision and recall of the
            operating points; None: there are none.
    """

    judging: Sample
    choosing: Sample | None = None
    calibration: Callable[[], Sequence[Row]] = tuple
    labels: Sequence[str] = ()
    rules: tuple[float, float] | None = None
