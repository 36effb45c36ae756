"""The labels that data files hold, counted: what `task.labels: auto` and `distill init` take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from distill.core.errors import UserError
from distill.core.intake.json_rows import BadJson
from distill.core.intake.record_reader import gold_value, lookup
from distill.core.intake.sources import Reading, expand, read_rows
from distill.core.label_space import label_name
from distill.core.project import Data, Project

MOST_CLASSES = 1000


def training_labels(project: Project, base: Path = Path()) -> list[str]:
    """The labels of all training rows, in order.

    Args: project: names files and columns; its own labels are not looked at. base: folder that a relative `data.root`
        starts from.
    Raises: UserError for files that cannot be read, fewer than two labels, or more than 1,000.
    """
    counts: Counter[str] = Counter()
    for path in expand(base / project.data.root, project.data.train, "data.train"):
        reading = Reading(project.data.encoding, project.data.quotes, {project.data.label})
        counts.update(count_labels((row.values for row in read_rows(path, reading) if row.values), project.data)[0])
    if not 2 <= len(counts) <= MOST_CLASSES:
        found = f"{len(counts)} different values in column '{project.data.label}' of data.train"
        raise UserError("task.labels: auto needs 2 to 1,000 labels", where="task.labels", found=found, do="name them")
    return in_order(counts)


def count_labels(rows: Iterable[Mapping[str, Any]], data: Data) -> tuple[Counter[str], bool]:
    """Rows per label, and whether some row has a list of them. Args: data: names the column of the gold."""
    counts: Counter[str] = Counter()
    several = False
    for values in rows:
        try:
            gold = gold_value(lookup(values, data.label))
        except BadJson:
            continue
        several = several or isinstance(gold, list)
        names = gold if isinstance(gold, list | dict) else [gold]
        counts.update(filter(None, (label_name(name) for name in names if _nameable(name))))
    return counts, several


def in_order(labels: Iterable[str]) -> list[str]:
    """Labels sorted, by their number where all are numbers."""
    try:
        return sorted(labels, key=float)
    except ValueError:
        return sorted(labels)


def _nameable(value: Any) -> bool:
    """Whether a value is text or a number that can be written."""
    if value is None or isinstance(value, list | dict | bytes):
        return False
    return not isinstance(value, str) or value.encode("utf-8", "replace").decode() == value
