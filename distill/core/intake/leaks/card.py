"""Rows whose cards a model reads alike, whatever else they have."""

from __future__ import annotations

from distill.core.intake.compared_text import read_texts
from distill.core.intake.leak_check import TextCheck
from distill.core.intake.one_order import in_one_order
from distill.core.project import Project
from distill.core.records import Record


class SameCard(TextCheck):
    """Compares both sides of the card view, as far as a model can read them. `data.on_card_leak: keep` is no gate."""

    name, place = "card", 30

    def __init__(self, project: Project) -> None:
        super().__init__(project)
        self.gate = project.data.on_card_leak != "keep"

    def texts(self, record: Record) -> tuple[str, ...]:
        """Both sides, cut to what can be read."""
        view = self.project.views["card"]
        return read_texts(in_one_order(record, view.swap), view)
