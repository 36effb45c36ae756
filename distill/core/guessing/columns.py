"""What the columns of a file hold, from its first rows: the evidence that `distill init` guesses from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from distill.core.intake.record_reader import columns as column_paths
from distill.core.rendering import lookup

_NEARLY = 0.97


@dataclass
class Column:
    """One column of the rows looked at.

    Attributes:
        path: dotted path.
        values: its values that are not null, as the file has them.
        rows: rows looked at.
    """

    path: str
    rows: int
    values: list[Any] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]

    @property
    def distinct(self) -> int:
        """Number of different values."""
        return len(set(map(str, self.values)))

    @property
    def unique(self) -> bool:
        """Whether nearly every row has a value of its own; a file may hold a few rows twice."""
        return self.distinct > _NEARLY * self.rows

    @property
    def words(self) -> list[int]:
        """Words of each value, sorted."""
        return sorted(len(str(value).split()) for value in self.values)

    @property
    def is_text(self) -> bool:
        """Whether the values are strings (or lists of them) of which most hold a letter."""
        lettered = sum(any(map(str.isalpha, str(value))) for value in self.values if isinstance(value, str | list))
        return lettered > 0.5 * len(self.values)


def look(rows: Iterable[Mapping[str, Any]]) -> dict[str, Column]:
    """Path to column, in the order of first appearance."""
    kept = list(rows)
    paths = dict.fromkeys(path for row in kept for path in column_paths(row))
    # A side that is null as a whole shows as a column of its own next to its columns.
    nested = {path.rpartition(".")[0] for path in paths}
    found = {path: Column(path, len(kept)) for path in paths if path not in nested}
    for row in kept:
        for path, column in found.items():
            if (value := lookup(row, path)) is not None and value != "":
                column.values.append(value)
    return found
