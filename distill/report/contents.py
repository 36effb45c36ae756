"""What a report holds: its entries as types, and the facts of its task that every table needs."""

from __future__ import annotations

from typing import Any

from distill.core.files import Json
from distill.evaluation.entries import Comparison, Gate, LatencyRow, ModelFigures, Parity
from distill.report import formats

Report = Json
"""The content of report.json; any key may be missing."""


def dig(value: object, *keys: str) -> Json:
    """The dictionary under nested keys; empty where any level is missing or null."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def entries(report: object, key: str) -> list[Json]:
    """The dictionaries in the list under `key`; empty where it is missing or null."""
    value = report.get(key) if isinstance(report, dict) else None
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def models_of(report: Report) -> list[ModelFigures]:
    """The models, in the order of the report."""
    return [ModelFigures.from_json(one) for one in entries(report, "models")]


def comparisons_of(holder: Json, key: str = "comparisons") -> list[Comparison]:
    """The comparisons of a report, or of another part that holds some under `key`."""
    return [Comparison.from_json(one) for one in entries(holder, key)]


def latency_of(report: Report) -> list[LatencyRow]:
    """Every latency measurement."""
    return [LatencyRow.from_json(one) for one in entries(report, "latency")]


def timed_teacher(report: Report) -> LatencyRow | None:
    """The teacher in PyTorch that speed-ups are over, which need not be the one that quality is held against."""
    own = (row for row in latency_of(report) if row.single and row.runtime == "pytorch")
    return next((row for row in own if row.speedup_vs_teacher == 1.0), None)


def parity_of(report: Report) -> list[Parity]:
    """The parity check of every exported file."""
    return [Parity.from_json(one) for one in entries(report, "parity")]


def gates_of(report: Report) -> list[Gate]:
    """The gates that were checked."""
    return [Gate.from_json(one) for one in entries(report, "gates")]


def tests_of(report: Report) -> list[str]:
    """The names of the tests."""
    tests = report.get("tests")
    return [str(test) for test in tests] if isinstance(tests, list) else []


def positive_label(report: Report) -> str | None:
    """The class that is scored one-vs-rest, or None."""
    label = dig(report, "task").get("positive")
    return None if label is None else str(label)


def label_names(report: Report) -> list[str]:
    """The classes in the task's order, or as the models name them where the task is missing."""
    declared = dig(report, "task").get("labels")
    if isinstance(declared, list) and declared:
        return [str(label) for label in declared]
    return list(dict.fromkeys(label for model in models_of(report) for label in dig(model.quality, "per_class")))


def metric_figure(report: Report, quality: Json) -> Json:
    """The figure that models are compared by, as `{"value", "low", "high"}`; empty where it is missing."""
    return figure_of(report, quality, str(report.get("metric") or "f1_macro"))


def figure_of(report: Report, quality: Json, metric: str) -> Json:
    """A figure of a quality block, as `{"value", "low", "high"}`; empty where it is missing."""
    if metric != "f1_positive":
        return dig(quality, metric)
    figures = dig(quality, "per_class", str(positive_label(report)))
    low, high = formats.bounds(figures.get("f1_interval")) or (None, None)
    return {"value": figures.get("f1"), "low": low, "high": high} if "f1" in figures else {}


def over_majority_known(report: Report) -> bool:
    """Whether models were compared with the majority answer, which retention is then measured from."""
    return any(model.over_majority for model in models_of(report))


def other_twins(report: Report) -> set[str]:
    """The gold-only twins that were worse on validation, which the main table leaves out."""
    return {str(name) for pair in dig(report, "twins").values() for name in _listed(dig(pair).get("other"))}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
