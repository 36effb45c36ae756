"""Rows with the same id."""

from __future__ import annotations

from distill.core.intake.leak_check import TextCheck
from distill.core.records import Record


class SameRow(TextCheck):
    """Compares ids."""

    name, gate, place = "row", True, 10

    def texts(self, record: Record) -> tuple[str, ...]:
        """The id."""
        return (record.id,)
