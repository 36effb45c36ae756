"""The labels of a task that the training rows decide: `labels: auto`, and what becomes of rare classes."""

from __future__ import annotations

from typing import Any

from distill.core.config import config_error, parse
from distill.core.intake.found_labels import are_numbers, labels_of_files
from distill.core.intake.rare_classes import merged_task, with_target_class
from distill.core.label_space import label_name
from distill.core.project import DROP, Project, Rare

_SHOWN = 5


def labelled(values: dict[str, Any], where: str) -> dict[str, Any]:
    """`values` with the labels that the training rows decide: `task.labels: auto`, and rare classes merged."""
    task = values.get("task")
    if not isinstance(task, dict):
        return values
    if task.get("labels") == "auto":
        # Everything else is checked before any file is read, under two labels that stand in.
        stand_in = {**task, "labels": [label_name(task.get("positive")), "…"], "swap": None}
        task = {**task, "labels": labels_of_files(parse(Project, _nameless({**values, "task": stand_in}), where))}
        if task.get("ordered") and not are_numbers(task["labels"]):
            listed = ", ".join(task["labels"][:_SHOWN])
            what = f"task.labels: auto takes names in the order of the alphabet, which is no scale ({listed})"
            raise config_error([f"{what}; list them from least to most, or set task.ordered: false"], where)
        values = {**values, "task": task}
    return values if task.get("rare") is None else {**values, "task": _without_rare(values, task, where)}


def _without_rare(values: dict[str, Any], task: dict[str, Any], where: str) -> dict[str, Any]:
    """The task with its rare classes counted and merged, or left out. Raises: as `merged_task`."""
    rare, labels = task["rare"], task.get("labels")
    if isinstance(rare, dict) and "classes" in rare:
        raise config_error(["task.rare.classes: is counted by the run itself; remove it"], where)
    into = label_name(rare.get("into", Rare.model_fields["into"].default)) if isinstance(rare, dict) else DROP
    if into == DROP and isinstance(labels, list) and DROP in labels:
        raise config_error([f"task.rare.into: '{DROP}' is a label too; give the label another name"], where)
    named = with_target_class([label_name(label) for label in labels], into) if isinstance(labels, list) else labels
    project = parse(Project, {**values, "task": {**task, "labels": named}}, where)
    declared = [label_name(label) for label in labels or []]
    return {**task, **merged_task(project, declared, where)}


def _nameless(values: dict[str, Any]) -> dict[str, Any]:
    """The same without what names labels outside of the task."""
    gates = values.get("gates")
    if not isinstance(gates, dict):
        return values
    return {**values, "gates": {name: one for name, one in gates.items() if name != "class_floor"}}
