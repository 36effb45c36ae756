"""Rows with the same value in a column of `data.keys`."""

from __future__ import annotations

from collections.abc import Sequence

from distill.core.intake.leak_check import LeakCheck, TextCheck
from distill.core.project import Project
from distill.core.records import Record


class SameKey(TextCheck):
    """Compares one key column; a project has as many of these checks as keys."""

    place = 50

    def __init__(self, project: Project, path: str) -> None:
        super().__init__(project)
        self.name, self._path = f"key:{path}", path

    @classmethod
    def of(cls, project: Project) -> Sequence[LeakCheck]:
        """One check for each key column."""
        return [cls(project, path) for path in project.data.keys]

    def texts(self, record: Record) -> tuple[str, ...]:
        """The key's value."""
        return (record.keys.get(self._path, ""),)
