"""Rows with the same whole document."""

from __future__ import annotations

from distill.core.intake.compared_text import side_texts
from distill.core.intake.leak_check import TextCheck
from distill.core.records import Record


class SameDocument(TextCheck):
    """Compares both sides of the document view."""

    name, gate, place = "document", True, 20

    def texts(self, record: Record) -> tuple[str, ...]:
        """Both sides, uncut."""
        return side_texts(record, self.project.views["document"])
