"""Rows with the same card, its sides changed over: the same question where the task is symmetric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from distill.core.intake.compared_text import read_texts, text_key
from distill.core.intake.key_column import KeyColumn
from distill.core.intake.leak_check import LeakCheck, Mask, among
from distill.core.intake.one_order import in_one_order
from distill.core.project import Project
from distill.core.records import Record


class SwappedCard(LeakCheck):
    """Compares the card with the swapped cards of the other split; measured, as most tasks are not symmetric.

    Where `task.swap` exchanges the sides, both orders are one card, and none is a swapped one.
    """

    name, place = "swapped card", 35

    def __init__(self, project: Project) -> None:
        super().__init__(project)
        self._cards, self._swapped = KeyColumn(), KeyColumn()

    @classmethod
    def of(cls, project: Project) -> Sequence[LeakCheck]:
        """One check; none for cards of one side."""
        return [cls(project)] if project.views["card"].right else []

    def add(self, record: Record) -> None:
        """Take in one row; a card of two equal sides is no swapped one."""
        view = self.project.views["card"]
        left, right = read_texts(in_one_order(record, view.swap), view)
        self._cards.append(text_key(left, right))
        self._swapped.append(0 if left == right else text_key(right, left))

    def found_in(self, other: Self) -> Mask:
        """Which rows are in the other split with their sides changed over, bool (N,)."""
        return among(self._swapped, other._cards)
