"""Rows with the same whole card."""

from __future__ import annotations

from distill.core.intake.compared_text import side_texts
from distill.core.intake.leak_check import TextCheck
from distill.core.records import Record


class SameCard(TextCheck):
    """Compares both sides of the card view."""

    name, place = "card", 30

    def texts(self, record: Record) -> tuple[str, ...]:
        """Both sides, uncut."""
        return side_texts(record, self.project.views["card"])
