"""What a section of the page is, and the list of all that there are."""

from __future__ import annotations

import importlib
import pkgutil
from abc import ABC, abstractmethod
from typing import ClassVar

from distill.report.contents import Report
from distill.report.markup import table
from distill.report.table_model import Sheet

SECTIONS: dict[str, type[Section]] = {}
"""Every section that was defined so far, by name."""


class Section(ABC):
    """One section of the page; a subclass that has a name is on the page.

    Attributes: name: of its anchor. title: its heading. position: the page is in the order of these numbers; the
        sections of this package are 10 apart, which leaves room between them.
    Raises: ValueError when the subclass takes the name of another.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    position: ClassVar[int]

    def __init_subclass__(cls) -> None:
        """Put a section that has a name on the list."""
        if "name" in cls.__dict__:
            if cls.name in SECTIONS:
                raise ValueError(f"the report has a section {cls.name!r} already: {SECTIONS[cls.name].__qualname__}")
            SECTIONS[cls.name] = cls

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
    """Every section in the order of the page."""
    from distill.report import sections

    for module in pkgutil.iter_modules(sections.__path__):
        importlib.import_module(f"{sections.__name__}.{module.name}")
    return [section() for section in sorted(SECTIONS.values(), key=lambda section: section.position)]
