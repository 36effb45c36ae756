"""How long work tells that it goes on: steps report, whoever shows it listens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[int], None]
EVERY = 500
"""Of quick units so many between two calls: a bar that is drawn for each takes longer than the work."""


class Reporter:
    """Shows the progress of one task after another; this one shows nothing."""

    def start(self, name: str, total: int, done: int, at_most: bool, unit: str = "rows") -> None:
        """A task of `total` units, or fewer with `at_most`, begins; `done` were made by an earlier, interrupted run."""

    def advance(self, done: int) -> None:
        """`done` units of the current task are made in total."""

    def read(self, tokens: int, rows: int = 0) -> None:
        """The current task has read so many tokens more, and rows where these are not its units."""

    def end(self) -> None:
        """The current task is over, finished or not."""

    def note(self, text: str) -> None:
        """A line worth keeping on the screen."""

    def heading(self, text: str) -> None:
        """A line above all that follows."""

    def step_starts(self, name: str) -> None:
        """A step of a run begins."""

    def step_ends(self, name: str, status: str, seconds: float) -> None:
        """A step of a run is over: `done` or `skipped`."""


_reporter = Reporter()


@contextmanager
def reporting(reporter: Reporter) -> Iterator[None]:
    """Send all progress inside the block to `reporter`."""
    global _reporter
    previous, _reporter = _reporter, reporter
    try:
        yield
    finally:
        _reporter = previous


@contextmanager
def progress(name: str, total: int, done: int = 0, *, at_most: bool = False, unit: str = "rows") -> Iterator[Advance]:
    """Report a task of `total` units, `done` of them made earlier; call the yielded function with units done so far.

    Args: at_most: the task may end before. unit: what is counted, as people read it: `12.5 rows/s`.
    """
    _reporter.start(name, total, done, at_most, unit)
    try:
        yield lambda units: _reporter.advance(units)
    finally:
        _reporter.end()


def read(tokens: int, rows: int = 0) -> None:
    """Tell that the current task has read so many tokens more, and rows where these are not its units."""
    _reporter.read(tokens, rows)


def note(text: str) -> None:
    """Keep a line on the user's screen."""
    _reporter.note(text)
