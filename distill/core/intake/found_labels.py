"""The labels that data files hold, counted: what `task.labels: auto` and `distill init` take."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.core.errors import UserError
from distill.core.intake.config import Data
from distill.core.intake.json_rows import BadJson
from distill.core.intake.record_reader import ColumnWatch, gold_value
from distill.core.intake.sources import Reading, expand, read_rows
from distill.core.label_space import label_name, plain_form
from distill.core.project import Project
from distill.core.rendering import lookup

MOST_CLASSES = 1000


def labels_of_files(project: Project) -> list[str]:
    """The labels of all training rows, in order; those of validation and tests too, where training has to have them.

    Args: project: names files and columns; its own labels are not looked at.
    Raises: UserError for files that cannot be read or lack the column, fewer than two labels in training, or more than
        1,000.
    """
    found, data = FoundLabels(), project.data
    reading = Reading(data.encoding, data.quotes, {data.label})

    def add(source: str, files: Sequence[str]) -> None:
        for path in expand(Path(data.root), files, f"data.{source}"):
            found.add((row.values for row in read_rows(path, reading) if row.values is not None), data.label)

    add("train", data.train)
    if not found.counts:
        _require_column(data)
    if not 2 <= len(found.counts) <= MOST_CLASSES:
        seen = f"{len(found.counts)} different values in column '{project.data.label}' of data.train"
        raise UserError("task.labels: auto needs 2 to 1,000 labels", where="task.labels", found=seen, do="name them")
    add("valid", data.valid or [])
    for name, files in data.test.items():
        add(f"test.{name}", files)
    return in_order(found.counts)


def _require_column(data: Data) -> None:
    """Check that some row of each training file has the label column. Raises: UserError naming the nearest one."""
    for path in expand(Path(data.root), data.train, "data.train"):
        watch = ColumnWatch({data.label: "data.label"})
        for row in read_rows(path, Reading(data.encoding, data.quotes)):
            if row.values is not None:
                watch.see(row.values)
        watch.require(path, "")


class FoundLabels:
    """The labels of rows. Attributes: rows: those with a label. several: whether some row has a list of labels."""

    def __init__(self) -> None:
        self._written: Counter[str] = Counter()
        self.rows, self.several = 0, False

    @property
    def counts(self) -> Counter[str]:
        """Label to rows; what is written in several ways, as 1 and 1.0, is one label."""
        ways: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for name, rows in self._written.items():
            ways[plain_form(name)][name] = rows
        return Counter({(plain if len(own) > 1 else min(own)): own.total() for plain, own in ways.items()})

    def add(self, rows: Iterable[Mapping[str, Any]], column: str) -> None:
        """Count the gold in a column; rows whose gold cannot be read are left out."""
        for values in rows:
            try:
                gold = gold_value(lookup(values, column))
            except BadJson:
                continue
            self.several = self.several or isinstance(gold, list)
            names = gold if isinstance(gold, list | dict) else [gold]
            written = list(filter(None, (label_name(name) for name in names if _nameable(name))))
            self.rows += bool(written)
            self._written.update(written)


def in_order(labels: Iterable[str]) -> list[str]:
    """Labels sorted, by their number where all are numbers."""
    return sorted(labels, key=float if are_numbers(labels) else None)


def are_numbers(labels: Iterable[str]) -> bool:
    """Whether all labels are numbers, which have an order of their own."""
    try:
        return all(float(label) is not None for label in labels)
    except ValueError:
        return False


def _nameable(value: Any) -> bool:
    """Whether a value is text or a number that a config can hold."""
    if value is None or isinstance(value, list | dict | bytes):
        return False
    return not isinstance(value, str) or not re.search("[\x00\ud800-\udfff]", value)
