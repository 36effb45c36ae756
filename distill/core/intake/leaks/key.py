"""Rows with a value in a column of `data.keys` that another split has in any of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from distill.core.intake.leak_check import LeakCheck, Mask, TextCheck, among
from distill.core.project import Project
from distill.core.records import Record


class SameKey(TextCheck):
    """Compares one key column; a project has as many of these checks as keys.

    A value is one entity on whichever side it is, as for splits by keys and for intervals.

    Args: columns: the checks of all keys of a split, this one among them.
    """

    place = 50

    def __init__(self, project: Project, path: str, columns: Sequence[SameKey]) -> None:
        super().__init__(project)
        self.name, self._path, self._columns = f"key:{path}", path, columns

    @classmethod
    def of(cls, project: Project) -> Sequence[LeakCheck]:
        """One check for each key column."""
        columns: list[SameKey] = []
        columns.extend(cls(project, path, columns) for path in project.data.keys)
        return columns

    def texts(self, record: Record) -> tuple[str, ...]:
        """The key's value."""
        return (record.keys.get(self._path, ""),)

    def found_in(self, other: Self) -> Mask:
        """Which rows have a value that the other split has under any key, bool (N,)."""
        return among(self._keys, *(column._keys for column in other._columns))
