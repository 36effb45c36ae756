"""The labels that data files hold, counted: what `task.labels: auto` and `distill init` take."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from distill.core.errors import UserError
from distill.core.intake.json_rows import BadJson
from distill.core.intake.record_reader import gold_value
from distill.core.intake.sources import Reading, expand, read_rows
from distill.core.label_space import label_name
from distill.core.project import Project
from distill.core.rendering import lookup

MOST_CLASSES = 1000


def training_labels(project: Project, base: Path = Path()) -> list[str]:
    """The labels of all training rows, in order.

    Args: project: names files and columns; its own labels are not looked at. base: folder that a relative `data.root`
        starts from.
    Raises: UserError for files that cannot be read, fewer than two labels, or more than 1,000.
    """
    found = LabelCounts()
    for path in expand(base / project.data.root, project.data.train, "data.train"):
        reading = Reading(project.data.encoding, project.data.quotes, {project.data.label})
        found.add((row.values for row in read_rows(path, reading) if row.values is not None), project.data.label)
    if not 2 <= len(found.counts) <= MOST_CLASSES:
        seen = f"{len(found.counts)} different values in column '{project.data.label}' of data.train"
        raise UserError("task.labels: auto needs 2 to 1,000 labels", where="task.labels", found=seen, do="name them")
    return in_order(found.counts)


class LabelCounts:
    """The labels of rows. Attributes: counts: label to rows. several: whether some row has a list of labels."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.several = False

    def add(self, rows: Iterable[Mapping[str, Any]], column: str) -> None:
        """Count the gold in a column; rows whose gold cannot be read are left out."""
        for values in rows:
            try:
                gold = gold_value(lookup(values, column))
            except BadJson:
                continue
            self.several = self.several or isinstance(gold, list)
            names = gold if isinstance(gold, list | dict) else [gold]
            self.counts.update(filter(None, (label_name(name) for name in names if _nameable(name))))


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
