"""Rows that have one side of the card in common, on the same side or on the other one."""

from __future__ import annotations

from typing import Self

from distill.core.intake.compared_text import side_texts, text_key
from distill.core.intake.key_column import KeyColumn
from distill.core.intake.leak_check import LeakCheck, Mask, among
from distill.core.project import Project
from distill.core.records import Record


class SameSide(LeakCheck):
    """Compares each side of the card view with both sides of the other split."""

    name, place = "side", 40

    def __init__(self, project: Project) -> None:
        super().__init__(project)
        self._left, self._right = KeyColumn(), KeyColumn()

    def add(self, record: Record) -> None:
        """Take in one row."""
        left, right = side_texts(record, self.project.views["card"])
        self._left.append(text_key(left))
        self._right.append(text_key(right))

    def found_in(self, other: Self) -> Mask:
        """Which rows have a side that the other split has on either side, bool (N,)."""
        return among(self._left, other._left, other._right) | among(self._right, other._left, other._right)
