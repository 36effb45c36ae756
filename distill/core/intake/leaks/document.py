"""Rows with the same whole document."""

from __future__ import annotations

from distill.core.intake.compared_text import side_texts
from distill.core.intake.leak_check import TextCheck
from distill.core.intake.one_order import in_one_order
from distill.core.records import Record


class SameDocument(TextCheck):
    """Compares both sides of the document view."""

    name, gate, place = "document", True, 20

    def texts(self, record: Record) -> tuple[str, ...]:
        """Both sides, uncut."""
        view = self.project.views["document"]
        return side_texts(in_one_order(record, view.swap), view)
