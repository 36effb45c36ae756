"""How fast a task goes and how long it still takes, from what it has told so far."""

from __future__ import annotations

import time
from collections.abc import Callable

from distill.core.output import clock as duration

Clock = Callable[[], float]


class Pace:
    """The pace of one task: its units, and the rows and tokens that are read for them.

    Rates are means since the task began in this process; what an interrupted run had done before counts for none.

    Args: total: units of the task. done: units made earlier. unit: what they are: `rows`, `steps`. at_most: the task
        may end before. clock: seconds.
    """

    def __init__(
        self, total: int, done: int = 0, unit: str = "rows", *, at_most: bool = False, clock: Clock = time.monotonic
    ) -> None:
        self._total, self._first, self._done, self._unit, self._at_most = total, done, done, unit, at_most
        self._tokens = self._rows = 0
        self._clock, self._started = clock, clock()

    def advance(self, done: int) -> None:
        """`done` units are made in total."""
        self._done = done

    def read(self, tokens: int, rows: int = 0) -> None:
        """So many tokens more were read, and rows where these are not the task's units."""
        self._tokens += tokens
        self._rows += rows

    def __str__(self) -> str:
        """`12.5 steps/s, 400 rows/s, 51,200 tokens/s, at most 3m 05s left`; empty before the first unit is made."""
        seconds, made = self._clock() - self._started, self._done - self._first
        if made <= 0 or seconds <= 0:
            return ""
        counted = ((made, self._unit), (self._rows, "rows"), (self._tokens, "tokens"))
        rates = [f"{_number(count / seconds)} {unit}/s" for count, unit in counted if count]
        left = duration(max(0, self._total - self._done) * seconds / made)
        return ", ".join([*rates, f"{'at most ' if self._at_most else ''}{left} left"])


def _number(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.1f}"
