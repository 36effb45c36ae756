"""Records that a model reads alike, scored once."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from distill.core.staged import Staged
from distill.inference.scorer import Logits, Prepared, Progress, Row, Scorer


class OnceEach(Scorer):
    """A scorer that answers records of equal token ids once among those that it is given together.

    The first of them is answered and all have its logits. Scored one by one they would differ by float noise, about
    1e-6 of a logit in fp32, since a batch's shape changes the order of sums; without equal records nothing changes, not
    a bit. Models that do not say what they read, by `Scorer.keys`, are asked for every record.

    Attributes: spared: records that were not asked for so far.
    """

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self.most_failed, self.spared = scorer.most_failed, 0

    def prepare(self, rows: Sequence[Row]) -> Sequence[Prepared]:
        """Records as the scorer reads them."""
        return self._scorer.prepare(rows)

    def answer(self, prepared: Sequence[Any], on_progress: Progress | None = None) -> Logits:
        """Logits (N, C) of N ≥ 1 records. Args: on_progress: as of the scorer, of all N records."""
        keys = self._scorer.keys(prepared)
        places: dict[Hashable, int] = {}
        found = [places.setdefault(key, len(places)) for key in keys or ()]
        if len(places) == len(found):
            return self._scorer.answer(prepared, on_progress)
        first = np.unique(found, return_index=True)[1]
        self.spared += len(found) - len(first)
        told = on_progress and _of_all(on_progress, len(found), len(first))
        logits: Logits = self._scorer.answer([prepared[row] for row in first], told)[np.array(found)]
        return logits

    def staged(self, prepared: Sequence[Any]) -> Staged | None:
        """As of the scorer: a model with stages says of no two records that it reads them alike."""
        return self._scorer.staged(prepared)

    def keys(self, prepared: Sequence[Any]) -> Sequence[Hashable] | None:
        """As of the scorer."""
        return self._scorer.keys(prepared)


def _of_all(on_progress: Progress, records: int, answered: int) -> Progress:
    """Progress among the answered records as progress among all."""
    return lambda done: on_progress(records * done // answered)
