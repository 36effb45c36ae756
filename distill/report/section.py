"""What a section of the page is, and the list of all that there are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from distill.core.siblings import siblings
from distill.report.contents import Report
from distill.report.markup import table
from distill.report.table_model import Sheet


class Section(ABC):
    """One section of the page; every concrete subclass in `distill/report/sections` is on it.

    Attributes: name: of its anchor. title: its heading. position: the page is in the order of these numbers; the
        sections of this package are 10 apart, which leaves room between them.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    position: ClassVar[int]

    @abstractmethod
    def body(self, report: Report) -> str:
        """The section as HTML, without its heading; empty where the report has nothing to show."""


class TableSection(Section):
    """A section that is one table."""

    @abstractmethod
    def sheet(self, report: Report) -> Sheet:
        """The table; without rows the section is left out."""

    def body(self, report: Report) -> str:
        """The table as HTML."""
        return table(self.sheet(report))


def all_sections() -> list[Section]:
    """Every section in the order of the page. Raises: ValueError when two have one name."""
    from distill.report import sections

    found = [section() for section in siblings(sections, Section)]
    names = [section.name for section in found]
    if taken := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two sections of the report are named {', '.join(map(repr, taken))}")
    return sorted(found, key=lambda section: section.position)
