"""A card in the folder of a label store: what is in it, who makes it, how far that is and what it costs."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from distill.core.files import read_json, sha256, write_text
from distill.core.label_counts import LabelCounts
from distill.core.output import as_markdown_code, clock, for_markdown
from distill.core.run_folder import LABEL_CARD
from distill.core.soft_labels import OK
from distill.core.view import VIEW_FILE
from teachers.config import LabellingConfig
from teachers.label_origins import Origins

_EVERY_S = 3.0


@dataclass(frozen=True)
class Facts:
    """What does not change while a store is made.

    Attributes: records: rows of each split. shards: how many there will be. price: of an hour; None: not known.
    """

    teacher: Path
    origins: Origins
    config: LabellingConfig
    records: Mapping[str, int]
    shards: int
    price: float | None = None

    @property
    def rows(self) -> int:
        """Of all splits."""
        return sum(self.records.values())

    def lines(self) -> list[tuple[str, str]]:
        """Heading and Markdown of each."""
        view = read_json(self.teacher / VIEW_FILE)["name"] if (self.teacher / VIEW_FILE).exists() else "of its members"
        stored = "float16" if self.config.half else "float32"
        splits = ", ".join(f"{for_markdown(name)} {rows:,}" for name, rows in self.records.items())
        return [
            ("teacher", f"{for_markdown(self.teacher.name)}, sha256 `{self.origins.teacher[:16]}`"),
            ("view", f"{for_markdown(view)}, sha256 `{self.origins.view[:16]}`"),
            ("logits", f"{', '.join(map(for_markdown, self.origins.labels))}, as {stored}"),
            ("calculated in", self.origins.precision),
            ("rows", splits),
            ("shards", f"{self.shards:,} of at most {self.config.shard_rows:,} rows"),
            ("made by", as_markdown_code(command(), cell=True)),
        ]


class LabelCard:
    """Keeps the card of a store up to date while it is made, a few seconds behind at most.

    Args: folder: of the store. done: what an earlier, interrupted run has made. now: seconds, for the rate.
    Attributes: counts: of the shards that are finished.
    """

    def __init__(
        self, folder: Path, facts: Facts, done: LabelCounts, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.counts, self._folder, self._facts, self._now = done, folder, facts, now
        self._earlier, self._own, self._rows = done.rows, LabelCounts(), done.rows
        self._started = self._written = now()
        self._write("running")

    def calculated_in(self, precision: str) -> None:
        """What the model that is open calculates in, where that is not what was planned."""
        self._facts = replace(self._facts, origins=replace(self._facts.origins, precision=precision))

    def advance(self, rows: int) -> None:
        """So many rows are scored in total, of all shards; more than the finished ones have."""
        self._rows = max(self._rows, rows)
        if self._now() - self._written >= _EVERY_S:
            self._write("running")

    def add(self, counts: LabelCounts, *, own: bool = True) -> None:
        """A shard is finished. Args: own: by this process, whose tokens a second are known."""
        self.counts += counts
        self._own += counts if own else LabelCounts()
        self.advance(self.counts.rows)

    def close(self) -> None:
        """The store is whole."""
        self._write("finished")

    @property
    def rate(self) -> float:
        """Rows a second since this run began; 0 before the first."""
        seconds = self._now() - self._started
        return (self._rows - self._earlier) / seconds if seconds > 0 else 0.0

    def _write(self, state: str) -> None:
        self._written = self._now()
        rows = [*self._facts.lines(), *self._progress(state)]
        title = f"# Soft labels of {for_markdown(self._facts.teacher.name)}"
        write_text(self._folder / LABEL_CARD, f"{title}\n\n{self._headline(state)}\n\n{_table(rows)}\n")

    def _headline(self, state: str) -> str:
        total, rate = self._facts.rows, self.rate
        share = f" ({self._rows / total:.1%})" if total else ""
        if state == "finished":
            return f"Finished: {total:,} rows."
        left = f", {clock((total - self._rows) / rate)} left" if rate else ""
        return f"Running: {self._rows:,} of {total:,} rows{share}{left}. The command of the last line goes on with it."

    def _progress(self, state: str) -> list[tuple[str, str]]:
        found = [(f"rows by status, of {self.counts.rows:,}", _statuses(self.counts))]
        if self.rate:
            tokens = self.rate * self._own.tokens / self._own.rows if self._own.rows else 0.0
            found.append(("speed", f"{self.rate:,.1f} rows/s" + (f", {tokens:,.0f} tokens/s" if tokens else "")))
            if self._earlier:
                found.append(("before this run", f"{self._earlier:,} rows"))
        if spared := self._own.spared:
            found.append(("scored once", f"{spared:,} rows that read like another one"))
        if (price := self._facts.price) is not None and self.rate:
            cost = price * 1e6 / self.rate / 3600
            found.append(("cost of a million rows", f"{cost:,.2f}, at {price:g} an hour"))
        return [*found, (state, datetime.now(UTC).isoformat(timespec="seconds"))]


def write_imported(folder: Path, file: Path, counts: LabelCounts) -> None:
    """The card of a store whose logits were made elsewhere. Args: file: that they were in."""
    rows = [
        ("logits", f"of {as_markdown_code(file.name, cell=True)}, sha256 `{sha256(file)[:16]}`"),
        (f"rows by status, of {counts.rows:,}", _statuses(counts)),
        ("made by", as_markdown_code(command(), cell=True)),
    ]
    write_text(
        folder / LABEL_CARD, f"# Soft labels made elsewhere\n\nFinished: {counts.rows:,} rows.\n\n{_table(rows)}\n"
    )


def counted(counts: LabelCounts) -> list[str]:
    """What of a finished store is worth a line on the screen: rows that are no labels, and those that were spared."""
    others = [f"{rows:,} {name}" for name, rows in sorted(counts.statuses.items()) if name != OK]
    found = [f"of {counts.rows:,} labelled rows {', '.join(others)}: no model learns from these"] if others else []
    if counts.spared:
        found.append(f"{counts.spared:,} of {counts.rows:,} rows read like another one: scored once")
    return found


def command() -> str:
    """How this process was started, as one line."""
    return shlex.join(["distill", *sys.argv[1:]])


def _statuses(counts: LabelCounts) -> str:
    return ", ".join(f"{name} {rows:,}" for name, rows in sorted(counts.statuses.items())) or "none yet"


def _table(rows: Sequence[tuple[str, str]]) -> str:
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])
