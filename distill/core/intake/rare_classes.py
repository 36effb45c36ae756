"""Classes with too few training rows: found by counting, then merged into another class or left out with their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from distill.core.errors import UserError
from distill.core.files import Json
from distill.core.intake.junk import JunkRules
from distill.core.intake.ledger import Ledger, Quarantine
from distill.core.intake.rows import DuplicateCheck, SourceReader
from distill.core.intake.separation import made_splits
from distill.core.intake.sources import expand
from distill.core.objectives.objective import Objective, Target
from distill.core.project import DROP, Project, Rare, Task

REASON = "rare_class"
_LISTED = 20


def merged_task(project: Project, declared: Sequence[str], where: str) -> Json:
    """`labels` and `rare` of the task once its rare classes are known.

    Rows count as training rows after junk, duplicates and the split, before what they share with rows that judge them
    is taken out; no test file is read.

    Args: project: with all labels that rows may have. declared: those that the project itself names. where: the project
        file, named in messages.
    Returns: `labels`: those that are kept, in their order, a new class last; `rare` with `classes`, label to training
        rows of each rare one.
    Raises: UserError when the positive class is rare, classes of a scale would be merged, or under two are left.
    """
    task = project.task
    assert task.rare is not None
    into, under = task.rare.into, task.rare.under
    counts = dict(zip(task.labels, _training_counts(project), strict=True))
    rare = {label: rows for label, rows in counts.items() if rows < under and label != into}
    kept = [label for label in task.labels if label not in rare and (rare or label in declared)]
    _require_usable(task, rare, kept, counts, where)
    return {"labels": kept, "rare": {**task.rare.as_json(), "classes": rare}}


def rare_config(task: Task) -> Json:
    """What of the rare classes the records depend on; nothing where there are none."""
    if task.rare is None or not task.rare.classes:
        return {}
    return {"rare": {"into": task.rare.into, "classes": list(task.rare.classes)}}


def with_target_class(labels: Sequence[str], into: str) -> list[str]:
    """Labels with the class that rare ones are merged into, last where it is a new one."""
    return list(labels) if into in (DROP, *labels) else [*labels, into]


def without_rare(target: Target, rare: Rare, labels: Sequence[str], objective: Objective) -> Target | None:
    """The gold (C,) of a row over the labels that are kept; None for a row to leave out.

    Merged votes add up, where a record may have several labels the largest counts. Left out, a rare class takes its
    votes with it: a row whose most voted label is rare, or that has no other label, goes.

    Args: target: (C + R,), of `labels` and then the R rare classes. labels: the C that are kept.
    """
    kept, taken = target[: len(labels)].copy(), target[len(labels) :]
    if not taken.any():
        return kept
    if rare.into != DROP:
        place = list(labels).index(rare.into)
        kept[place] = max(kept[place], taken.max()) if objective.several else kept[place] + taken.sum()
        return kept
    most = set(objective.gold_classes(target)) if not objective.several else set()
    if not kept.any() or any(index >= len(labels) for index in most):
        return None
    return np.asarray(kept if objective.several else kept / kept.sum(), np.float32)


def _training_counts(project: Project) -> list[int]:
    """Training rows of each label."""
    data, root = project.data, Path(project.data.root)
    files = expand(root, data.train, "data.train")
    reader = SourceReader(project, Ledger(), Quarantine(None, root, fail=False, texts=False))
    checks = [
        JunkRules(project).check("train", reader, files),
        DuplicateCheck("train", project.views["card"].swap).check,
    ]
    rows = list(reader.records("train", files, checks))
    parts = made_splits(rows, project)[0] if rows else None
    counts = np.zeros(len(project.task.labels), np.int64)
    objective = project.task.space.objective
    for record in parts["train"] if parts else rows:
        assert record.target is not None
        counts[objective.gold_classes(record.target)] += 1
    return [int(count) for count in counts]


def _require_usable(
    task: Task, rare: Mapping[str, int], kept: Sequence[str], counts: Mapping[str, int], where: str
) -> None:
    """Check that what is left is a task. Raises: UserError with the classes and their training rows."""
    assert task.rare is not None
    place, few = f"{where}: task.rare", f"under {task.rare.under} training rows: {_listed(rare)}"
    if task.positive in rare:
        do = "lower task.rare.under, give more rows of it, or name another class in task.positive"
        raise UserError(f"the positive class '{task.positive}' is rare", where=place, found=few, do=do)
    if rare and task.ordered and task.rare.into != DROP:
        do = "set task.ordered: false, or into: drop, which keeps the order of the other labels"
        what = f"the labels are a scale, on which '{task.rare.into}' made of several of them would have no place"
        raise UserError(what, where=place, found=few, do=do)
    if len(kept) < 2:
        found = f"{few}; left: {_listed({label: counts[label] for label in kept}) or 'none'}"
        raise UserError("under two classes are left", where=place, found=found, do="lower task.rare.under")


def _listed(counts: Mapping[str, int]) -> str:
    """`a (12), b (0)`, the first twenty."""
    named = [f"{label} ({rows})" for label, rows in counts.items()]
    more = f" and {len(named) - _LISTED} more" if len(named) > _LISTED else ""
    return ", ".join(named[:_LISTED]) + more
