"""Answers to a record in both orders of a task that compares: none depends on which text came first."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from distill.core.project import ViewConfig
from distill.core.rendering import swapped
from distill.core.staged import Staged
from distill.core.swap import ViewSwap
from distill.inference.scorer import Logits, Prepared, Progress, Row, Scorer


@dataclass(frozen=True)
class BothWays:
    """A record as it is and with its fields exchanged. Tokens and cuts are those of the first; both are read."""

    given: Prepared
    exchanged: Prepared

    @property
    def tokens(self) -> int:
        """Tokens of the rendered text before any cut."""
        return self.given.tokens

    @property
    def cut_tokens(self) -> int:
        """How many of those are not read."""
        return self.given.cut_tokens

    @property
    def read_tokens(self) -> int:
        """Tokens that the model reads, of both orders."""
        return self.given.read_tokens + self.exchanged.read_tokens


class BothOrders(Scorer):
    """A scorer whose logits are (z(x) + P·z(x′)) / 2: x′ is the record with its fields exchanged, P exchanges classes.

    So z(x′) = P·z(x) exactly, at every temperature, and a model that prefers a place gives that up. It costs twice the
    work. Where a half is no number, as of a server that did not answer, the whole is none.
    """

    def __init__(self, scorer: Scorer, swap: ViewSwap) -> None:
        self._scorer, self._swap = scorer, swap
        self.most_failed = None if scorer.most_failed is None else min(1.0, 2 * scorer.most_failed)
        self.weights = scorer.weights
        self._staged: Staged | None = None

    def prepare(self, rows: Sequence[Row]) -> list[BothWays]:
        """Records in both orders, as the scorer reads them."""
        other = self._scorer.prepare([swapped(row, self._swap.fields) for row in rows])
        return [BothWays(*two) for two in zip(self._scorer.prepare(rows), other, strict=True)]

    def answer(self, prepared: Sequence[BothWays], on_progress: Progress | None = None) -> Logits:
        """Logits (N, C), the means of both orders."""
        count = len(prepared)
        given = self._scorer.answer([one.given for one in prepared], on_progress and _half(on_progress, 0))
        self._staged = self._scorer.staged([one.given for one in prepared])
        other = self._scorer.answer([one.exchanged for one in prepared], on_progress and _half(on_progress, count))
        means: Logits = ((given.astype(np.float64) + other[:, self._swap.order]) / 2).astype(np.float32)
        return means

    def keys(self, prepared: Sequence[BothWays]) -> list[Hashable] | None:
        """Those of both orders."""
        given = self._scorer.keys([one.given for one in prepared])
        other = self._scorer.keys([one.exchanged for one in prepared])
        return None if given is None or other is None else list(zip(given, other, strict=True))

    def staged(self, prepared: Sequence[Any]) -> Staged | None:
        """Which stage labelled each record as it was given."""
        return self._staged


def in_both_orders(scorer: Scorer, view: ViewConfig) -> Scorer:
    """The scorer, asked in both orders where the view's task is symmetric and `average` is on."""
    return scorer if view.swap is None or not view.swap.average else BothOrders(scorer, view.swap)


def _half(on_progress: Progress, before: int) -> Progress:
    """One order's progress as half of the whole. Args: before: records that the other order has done."""
    return lambda done: on_progress((before + done) // 2)
