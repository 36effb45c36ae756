"""What the user sees while a command works: stages, a bar with rate and time left, notes, errors."""

from __future__ import annotations

import time
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.segment import Segment
from rich.text import Text

from distill.core.output import clock, for_terminal
from distill.core.pace import Clock, Pace
from distill.core.progress import Reporter

_LOG_EVERY_SECONDS = 15.0


class TextConsole(Console):
    """A console on which text is text: what a terminal would obey is shown as an escape, whatever is printed."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of `renderable`, whose own colours and widths are the console's."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment(for_terminal(text), style)


class ConsoleReporter(Reporter):
    """Progress on the terminal; where there is none, a line every 15 seconds, so that logs show the work goes on."""

    def __init__(self, console: Console, clock: Clock = time.monotonic) -> None:
        self.console, self._clock = console, clock
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._name, self._total, self._pace, self._logged = "", 0, Pace(0, clock=clock), 0.0

    def start(self, name: str, total: int, done: int, at_most: bool, unit: str = "rows") -> None:
        """Open the bar of a task."""
        self._name, self._total = name, total
        self._pace, self._logged = Pace(total, done, unit, at_most=at_most, clock=self._clock), self._clock()
        if done:
            self.note(f"{name}: going on from {done} of {total}")
        if self.console.is_terminal:
            self._bar = Progress(
                TextColumn("    {task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.fields[pace]}"),
                console=self.console,
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task(name, total=total, completed=done, pace="")

    def advance(self, done: int) -> None:
        """Move the bar."""
        self._pace.advance(done)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, pace=str(self._pace))
        elif self._clock() - self._logged >= _LOG_EVERY_SECONDS:
            self._logged = self._clock()
            self.console.print(Text(f"    {self._name} {done}/{self._total}  {self._pace}"))

    def read(self, tokens: int, rows: int = 0) -> None:
        """Count what is shown with the next advance."""
        self._pace.read(tokens, rows)

    def end(self) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = self._task = None

    def note(self, text: str) -> None:
        """Print a line."""
        self.console.print(Text(f"    {text}", style="dim"))

    def heading(self, text: str) -> None:
        """Print a line in bold."""
        self.console.print(Text(text, style="bold"))

    def step_starts(self, name: str) -> None:
        """Say which step begins."""
        self.console.print(Text(f"  {name} …"))

    def step_ends(self, name: str, status: str, seconds: float) -> None:
        """Say how a step ended; skipped steps are counted, not listed."""
        if status != "skipped":
            self.console.print(Text(f"✓ {name}  {clock(seconds)}", style="green"))
