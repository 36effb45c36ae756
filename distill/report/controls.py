"""How models of a report stand to their controls: the majority answer, and their twins trained on gold alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from distill.report import formats

METRIC_NAMES = {"accuracy": "accuracy", "f1_macro": "macro F1", "log_loss": "log loss"}


def metric_name(metric: str, positive: object = None) -> str:
    """A metric as sentences call it: "macro F1". Args: positive: the positive class."""
    return METRIC_NAMES.get(metric, f"F1 of “{positive}”" if positive else metric)


def shortfalls(model: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The differences that do not show a model above the majority answer, or under the class priors in log loss.

    Returns: metric -> `{"difference", "low", "high"}`; empty for a model that is above in all three, by its interval,
        and for one that was not compared.
    """
    over = model.get("over_majority")
    found = over if isinstance(over, Mapping) else {}
    known = [name for name in METRIC_NAMES if isinstance(found.get(name), Mapping)]
    return {name: found[name] for name in known if not _above(name, found[name])}


def hidden_twins(twins: Any) -> set[str]:
    """The gold-only twins that were worse on validation, which the main table leaves out. Args: twins: of a report."""
    pairs = twins.values() if isinstance(twins, Mapping) else []
    return {name for pair in pairs if isinstance(pair, Mapping) for name in pair.get("other") or []}


def teacher_of(view: str, models: Sequence[Mapping[str, Any]]) -> str:
    """The teacher of a view: the ensemble, or the only one trained on it; "the card teacher" for none or several."""
    names = [str(model.get("name")) for model in models if model.get("role") == "teacher"]
    matching = [name for name in names if name.endswith(f"@{view}")]
    ensemble = f"ensemble@{view}"
    return ensemble if ensemble in matching else matching[0] if len(matching) == 1 else f"the {view} teacher"


def student_of(name: str, models: Sequence[Mapping[str, Any]]) -> str:
    """The student that an exported file was made from; any other model is its own."""
    students = [str(model.get("name")) for model in models if model.get("role") == "student"]
    return next((student for student in students if name.startswith(f"{student}.")), name)


def _above(metric: str, apart: Mapping[str, Any]) -> bool:
    pair = formats.bounds(dict(apart))
    if pair is None:
        return False
    return pair[1] < 0 if metric == "log_loss" else pair[0] > 0
