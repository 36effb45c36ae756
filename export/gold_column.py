"""The column of labels in a file: gold of each row, read as the run read its own files, and what is no label there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from distill.core.errors import UserError
from distill.core.intake.json_rows import BadJson
from distill.core.intake.rare_classes import without_rare
from distill.core.intake.record_reader import gold_value
from distill.core.label_space import LabelSpace, UnknownLabel, label_name
from distill.core.objectives.objective import Target, objective
from distill.core.project import Rare
from distill.core.rendering import lookup
from export.record_rows import Read

_LINES, _NAMES, _KEPT = 5, 10, 1000


class NoGold(Exception):
    """A row has no label that can be used."""


@dataclass
class GoldColumn:
    """Reads labels.

    Attributes: space: of the bundle. rare: labels that the run merged or left out; so are they here. unknown: other
        labels that the bundle lacks, each with its number of rows and the first lines; at most 1,000 of them.
    """

    space: LabelSpace
    column: str
    rare: Rare | None = None
    unknown: dict[str, list[int]] = field(default_factory=dict)

    def target(self, row: Read) -> Target:
        """The gold of a row, (C,). Raises: NoGold with the reason; a label that the bundle lacks is noted, too."""
        try:
            gold = gold_value(lookup(row.values, self.column))
            if gold is None or (isinstance(gold, str) and not label_name(gold)):
                raise NoGold(f"column '{self.column}' is empty")
            target = self._read_space.target(gold)
        except (BadJson, ValueError) as error:
            if isinstance(error, UnknownLabel):
                self._note(f"'{error.name}'", row.line)
            raise NoGold(f"column '{self.column}': {error}") from None
        rare, space = self.rare, self.space
        kept = target if rare is None else without_rare(target, rare, space.labels, space.objective)
        if kept is None:
            raise NoGold(f"column '{self.column}' has a label that task.rare left out")
        return kept

    @cached_property
    def _read_space(self) -> LabelSpace:
        """The bundle's labels, then the rare ones that rows still have."""
        labels = (*self.space.labels, *(self.rare.classes if self.rare else ()))
        return replace(self.space, labels=labels, objective=objective(self.space.objective.name, len(labels)))

    def listed(self) -> str:
        """The unknown labels with their rows, the first ten."""
        more = len(self.unknown) - _NAMES
        return "; ".join([*list(self._each())[:_NAMES], *([f"and {more} more labels"] if more > 0 else [])])

    def require_known(self, file: str) -> None:
        """Raises: UserError naming labels that the bundle lacks, with their rows."""
        if self.unknown:
            raise UserError(
                "labels that the bundle does not have",
                where=f"{file}, column '{self.column}'",
                found=self.listed(),
                do=f"correct these rows or leave them out; the bundle's labels: {', '.join(self.space.labels)}",
            )

    def _note(self, name: str, line: int) -> None:
        if name in self.unknown or len(self.unknown) < _KEPT:
            found = self.unknown.setdefault(name, [0])
            found[0] += 1
            if len(found) <= _LINES:
                found.append(line)

    def _each(self) -> Iterator[str]:
        for name, (rows, *lines) in self.unknown.items():
            more = f" and {rows - len(lines)} more" if rows > len(lines) else ""
            yield f"{name}: {rows} {'row' if rows == 1 else 'rows'} (line {', '.join(map(str, lines))}{more})"
