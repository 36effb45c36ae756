"""The tables of a page while it is written: their anchors, and how many rows of each are on it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from distill.report.table_model import Sheet

_NOT_IN_ANCHORS = re.compile(r"[^\w.@-]+")


@dataclass
class PageTables:
    """What the tables of one page are called, and which did not go on it whole.

    Attributes: most: rows of a table that are on the page. files: folder of the whole tables, as the page links it.
        section: anchor of the section being written. cut: by name, the tables with more rows.
    """

    most: int = 1_000_000
    files: str = ""
    section: str = "table"
    cut: dict[str, Sheet] = field(default_factory=dict)
    _taken: Counter[str] = field(default_factory=Counter)

    def anchor(self) -> str:
        """The anchor of the section's next table."""
        return self._unused(f"{self.section}-table")

    def row_anchor(self, table: str, name: str) -> str:
        """The anchor of a row, by the text of its first cell."""
        return self._unused(f"{table}-{_NOT_IN_ANCHORS.sub('-', name).strip('-')}")

    def _unused(self, name: str) -> str:
        self._taken[name] += 1
        found = name if self._taken[name] == 1 else f"{name}-{self._taken[name]}"
        return found if found == name or self._taken[found] == 0 else self._unused(name)


_NOW: ContextVar[PageTables | None] = ContextVar("page_tables", default=None)


@contextmanager
def page_of(tables: PageTables) -> Iterator[PageTables]:
    """Tables that are written inside have their anchors and their most rows from `tables`."""
    token = _NOW.set(tables)
    try:
        yield tables
    finally:
        _NOW.reset(token)


def page_tables() -> PageTables | None:
    """Those of the page being written; None outside of one."""
    return _NOW.get()
