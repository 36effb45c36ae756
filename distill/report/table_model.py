"""The tables of a report as data: each names its columns once; HTML, terminal and Markdown render the same cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from distill.report import formats
from distill.report.controls import METRIC_NAMES, hidden_twins, shortfalls

Report = dict[str, Any]
ROLES = {"teacher": "Teachers", "student": "Students", "baseline": "Baselines", "artifact": "Exported artifacts"}
LOWER_IS_BETTER = {"log_loss", "ece"}
NOT_A_SHARE = {"log_loss"}


@dataclass(frozen=True)
class Column:
    """One column: its heading and the cell of a row.

    Args: name: heading. cell: row -> text. group: heading over neighbouring columns. alone: heading where no groups are
        shown, by default `name`. kind: "number" is aligned right, "name" is shown as code, "text" as it is,
        "prose" over several lines, "check" is "yes" or "no" with what it is about in brackets.
        spare: 0 is always shown; narrow terminals leave out the highest first.
    """

    name: str
    cell: Callable[[Any], str]
    group: str = ""
    alone: str = ""
    kind: str = "number"
    spare: int = 0


@dataclass(frozen=True)
class Sheet:
    """A table not yet rendered.

    Args: rows: whatever the cells take. section: row -> heading shared with neighbours. marked: rows that stand out.
    """

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Any]
    section: Callable[[Any], str] | None = None
    marked: Callable[[Any], bool] | None = None


@dataclass(frozen=True)
class ModelRow:
    """A model with the quality block that the table is about (all test rows or one test) and its batch-1 latency."""

    model: dict[str, Any]
    quality: dict[str, Any]
    latency: dict[str, Any]

    @property
    def name(self) -> str:
        """The model's name, such as `8L_trunc@card.onnx-int8`."""
        return str(self.model.get("name", formats.MISSING))

    @property
    def points(self) -> dict[str, Any]:
        """The operating points of the positive class by rule, null where validation never reached one."""
        return dig(self.quality, "positive", "operating_points")

    @property
    def point(self) -> dict[str, Any]:
        """The F1 operating point of the positive class; empty where the task has none."""
        return dig(self.points, "f1")


def dig(value: Any, *keys: str) -> dict[str, Any]:
    """The dictionary under nested keys; empty where any level is missing or null."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def entries(report: Any, key: str) -> list[dict[str, Any]]:
    """The dictionaries in the list under `key`; empty where it is missing or null."""
    value = report.get(key) if isinstance(report, dict) else None
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def single_latency(report: Report, name: str) -> dict[str, Any]:
    """The first latency row of a model at batch 1, which the main table shows; empty without one."""
    rows = (row for row in entries(report, "latency") if row.get("model") == name and row.get("batch", 1) == 1)
    return next(rows, {})


def model_rows(report: Report, test: str | None = None) -> list[ModelRow]:
    """Every model in the order of roles, with its figures over all test rows or over one test."""
    models = sorted(entries(report, "models"), key=lambda model: _role_order(model.get("role")))
    return [
        ModelRow(
            model=model,
            quality=dig(model, "quality") if test is None else dig(model, "tests", test),
            latency=single_latency(report, str(model.get("name"))),
        )
        for model in models
    ]


def role_heading(row: ModelRow) -> str:
    """The heading over models of the same role."""
    role = str(row.model.get("role") or "model")
    return ROLES.get(role, role.capitalize())


def positive_label(report: Report) -> str | None:
    """The class that is scored one-vs-rest, or None."""
    label = dig(report, "task").get("positive")
    return None if label is None else str(label)


def metric_figure(report: Report, quality: dict[str, Any]) -> dict[str, Any]:
    """The figure that models are compared by, as `{"value", "low", "high"}`; empty where it is missing."""
    metric = report.get("metric")
    if metric != "f1_positive":
        return dig(quality, str(metric or "f1_macro"))
    figures = dig(quality, "per_class", str(positive_label(report)))
    low, high = formats.bounds(figures.get("f1_interval")) or (None, None)
    return {"value": figures.get("f1"), "low": low, "high": high} if "f1" in figures else {}


def over_majority_known(report: Report) -> bool:
    """Whether models were compared with the majority answer, which retention is then measured from."""
    return any(model.get("over_majority") for model in entries(report, "models"))


def quality_columns(report: Report) -> list[Column]:
    """Model, size and quality; the columns that every table of models starts with."""
    return [
        Column("Model", lambda row: row.name, kind="name"),
        Column("Layers", lambda row: formats.plain(row.model.get("layers")), spare=5),
        Column("Parameters", lambda row: formats.millions(row.model.get("parameters")), spare=8),
        *_positive_columns(positive_label(report)),
        Column("Macro F1", lambda row: formats.percent_interval(row.quality.get("f1_macro")), "All classes", spare=3),
    ]


def quality_sheet(report: Report, marked: str | None = None) -> Sheet:
    """The main table: size, quality on all test rows, retention, latency. `marked`: the model to point out.

    Of a student's gold-only twins only the better one stands in it.
    """
    columns = [*quality_columns(report), *_majority_columns(report), *_retention_columns(report), *_latency_columns()]
    notes = [
        _positive_note(report),
        *_retention_notes(report),
        "Latency at batch 1; speed-up over the document teacher.",
    ]
    caption = " ".join(["All test rows; percent with 95% intervals.", *(note for note in notes if note)])
    hidden = hidden_twins(report.get("twins"))
    rows = [row for row in model_rows(report) if row.name not in hidden]
    return Sheet(caption, columns, rows, role_heading, lambda row: row.name == marked)


def per_test_sheet(report: Report, test: str) -> Sheet:
    """Quality of every model on one named test."""
    rows = [row for row in model_rows(report, test) if row.quality]
    counts = {formats.integer(row.quality["rows"]) for row in rows if row.quality.get("rows") is not None}
    size = f" ({counts.pop()} rows)" if len(counts) == 1 else ""
    caption = f"Test “{test}”{size}: quality in percent with 95% intervals."
    return Sheet(caption, quality_columns(report), rows, role_heading)


def comparison_sheet(report: Report) -> Sheet:
    """Paired differences between two models on the same rows; over several seeds also the least and the greatest."""
    caption = "Paired bootstrap on the same test rows; differences in points (log loss as it is), with 95% intervals."
    return pairs_sheet(entries(report, "comparisons"), caption)


def pairs_sheet(rows: list[dict[str, Any]], caption: str) -> Sheet:
    """Paired differences of any two models. Args: rows: as the `comparisons` of report.json."""
    seeds = [Column("A − B by seed", _differences)] if any(row.get("spread") for row in rows) else []
    columns = [
        Column("A", lambda row: str(row.get("a")), kind="name"),
        Column("B", lambda row: str(row.get("b")), kind="name"),
        Column("Metric", lambda row: str(row.get("metric")), kind="text"),
        Column("A − B", _difference),
        *seeds,
        Column("p", lambda row: formats.p_value(row.get("p_value"))),
        Column("Reading", reading, kind="text"),
    ]
    return Sheet(caption, columns, rows)


def reading(row: dict[str, Any]) -> str:
    """Which of two compared models is better, as far as the interval shows."""
    pair = formats.bounds(row)
    if pair is None:
        return formats.MISSING
    if pair[0] <= 0 <= pair[1]:
        return "no difference shown"
    return "A is better" if (pair[0] > 0) != (row.get("metric") in LOWER_IS_BETTER) else "B is better"


def label_names(report: Report) -> list[str]:
    """The classes in the task's order, or as the models name them where the task is missing."""
    declared = dig(report, "task").get("labels")
    if isinstance(declared, list) and declared:
        return [str(label) for label in declared]
    return list(dict.fromkeys(label for row in model_rows(report) for label in dig(row.quality, "per_class")))


def _positive_columns(label: str | None) -> list[Column]:
    if label is None:
        accuracy = Column("Accuracy", lambda row: formats.percent_interval(row.quality.get("accuracy")), "All classes")
        return [accuracy]
    group = f"{label} against the rest"
    return [
        Column("Accuracy", lambda row: formats.percent(row.point.get("accuracy")), group, spare=4),
        Column("Precision", lambda row: formats.percent(row.point.get("precision")), group, spare=6),
        Column("Recall", lambda row: formats.percent(row.point.get("recall")), group, spare=6),
        Column("F1", lambda row: formats.percent_interval(row.point.get("f1"), row.point.get("f1_interval")), group),
    ]


def _majority_columns(report: Report) -> list[Column]:
    return [Column("Above the majority answer", _above_majority, kind="check")] if over_majority_known(report) else []


def _above_majority(row: ModelRow) -> str:
    """Whether the model is above the majority answer by its intervals, and where it is not."""
    if not row.model.get("over_majority"):
        return formats.MISSING
    short = [METRIC_NAMES[name] for name in shortfalls(row.model)]
    return f"no ({', '.join(short)})" if short else "yes"


def _retention_columns(report: Report) -> list[Column]:
    group = "Retention over majority" if over_majority_known(report) else "Retention of macro F1"
    return [
        Column(f"{view} teacher", _retention_cell(view), group, f"Retention, {view} teacher", spare=spare)
        for view, spare in (("card", 1), ("document", 9))
    ]


def _retention_notes(report: Report) -> list[str]:
    if not over_majority_known(report):
        return []
    formula = "Retention: (model − majority) / (teacher − majority) in macro F1."
    kept = [
        formats.number(value) or 0.0 for row in model_rows(report) for value in dig(row.model, "retention").values()
    ]
    return [formula, *(["Over 100%: the teacher is worse than that model."] if max(kept, default=0.0) > 1 else [])]


def _latency_columns() -> list[Column]:
    ms, speed = "Latency, ms", "Speed-up"
    return [
        Column("p50", lambda row: formats.three_digits(row.latency.get("p50_ms")), ms, "p50, ms", spare=2),
        Column("p99", lambda row: formats.three_digits(row.latency.get("p99_ms")), ms, "p99, ms", spare=7),
        Column("over PyTorch teacher", _speed_cell("speedup_vs_teacher"), speed, "Speed-up"),
        Column("over fastest teacher", _speed_cell("speedup_vs_best_teacher"), speed, "Over fastest teacher", spare=10),
    ]


def _positive_note(report: Report) -> str:
    label = positive_label(report)
    if label is None:
        return ""
    rule = "at the threshold with the best F1 on validation"
    return f"Accuracy, precision, recall and F1: “{label}” against the rest, {rule}."


def _role_order(role: Any) -> int:
    return list(ROLES).index(role) if role in ROLES else len(ROLES)


def _retention_cell(view: str) -> Callable[[ModelRow], str]:
    return lambda row: formats.percent_interval(dig(row.model, "retention").get(view))


def _speed_cell(key: str) -> Callable[[ModelRow], str]:
    return lambda row: formats.times(row.latency.get(key))


def _difference(row: dict[str, Any]) -> str:
    return formats.signed_interval(row.get("difference"), row, *_scale(row))


def _differences(row: dict[str, Any]) -> str:
    return formats.signed_range(row.get("spread"), *_scale(row))


def _scale(row: dict[str, Any]) -> tuple[float, int]:
    """What a difference is multiplied by, and its decimals."""
    return (1, 4) if row.get("metric") in NOT_A_SHARE else (100, 2)
