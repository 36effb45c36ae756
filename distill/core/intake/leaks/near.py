"""Rows whose cards are near duplicates, by `data.near`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np

from distill.core.intake.compared_text import read_texts
from distill.core.intake.leak_check import Alike, LeakCheck, Mask
from distill.core.intake.near.candidates import Kept, SharedKeys
from distill.core.intake.near.shingles import likeness
from distill.core.intake.near.sketches import Sketches
from distill.core.intake.one_order import in_one_order
from distill.core.project import Project
from distill.core.records import Record


class NearCard(LeakCheck):
    """Compares both sides of the card view, as far as a model can read them; equal cards are near ones too."""

    name, place = "near-duplicate card", 32

    def __init__(self, project: Project) -> None:
        super().__init__(project)
        assert project.data.near is not None
        self._near, self._view = project.data.near, project.views["card"]
        self.gate = self._near.on_leak == "fail"
        self._sketches = Sketches(self._near.jaccard, self._near.words)
        self._found: dict[int, dict[int, int]] = {}

    @classmethod
    def of(cls, project: Project) -> Sequence[LeakCheck]:
        """One check; none where `data.near` is not set."""
        return [] if project.data.near is None else [cls(project)]

    def add(self, record: Record) -> None:
        """Take in one row."""
        self._sketches.add(*read_texts(in_one_order(record, self._view.swap), self._view))

    def found_in(self, other: Self) -> Mask:
        """Which rows are like one of the other split, bool (N,)."""
        found = np.zeros(self._sketches.rows, np.bool_)
        found[list(self._matches(other))] = True
        return found

    def examples(self, other: Self, most: int) -> list[Alike]:
        """The first rows that are like one of the other split."""
        own, others = self._sketches.sets(), other._sketches.sets()
        matches = list(self._matches(other).items())[:most]
        return [Alike(row, like, round(likeness(own.of(row), others.of(like)), 3)) for row, like in matches]

    def _matches(self, other: Self) -> dict[int, int]:
        """The rows that are like one of the other split, in their order, each with one that it is like."""
        if id(other) not in self._found:
            self._found[id(other)] = dict(self._compared(other))
        return self._found[id(other)]

    def _compared(self, other: Self) -> list[tuple[int, int]]:
        for check in (self, other):
            check._sketches.close_file()
        own, files = self._sketches.key_files, other._sketches.key_files
        if not own or not files:
            return []
        shared = SharedKeys.between(own, files, self._sketches.folder)
        kept, sets = Kept(shared), self._sketches.sets()
        for member in shared.members():
            kept.add(member)
        others, jaccard = other._sketches.sets(), self._near.jaccard
        found = [
            (member.row, like)
            for member in shared.members(own)
            if (like := kept.first_like(member, sets.of(member.row), others, jaccard)) is not None
        ]
        shared.close()
        return found
