"""The main table of a report, the same for one test, and paired differences between models."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from distill.evaluation.entries import Comparison
from distill.report import formats
from distill.report.caveats import absent_classes
from distill.report.contents import (
    Report,
    comparisons_of,
    dig,
    models_of,
    other_twins,
    over_majority_known,
    positive_label,
)
from distill.report.names import METRIC_NAMES
from distill.report.table_model import Column, ModelRow, Sheet, model_rows, role_heading

LOWER_IS_BETTER = {"log_loss", "ece"}
NOT_A_SHARE = {"log_loss"}
_ORDERED_NOTE = "Weighted kappa (quadratic) and places off: the labels as a scale; 0 places off is right."


def quality_columns(report: Report) -> list[Column]:
    """Model, size and quality; the columns that every table of models starts with."""
    return [
        Column("Model", lambda row: row.name, kind="name"),
        Column("Layers", lambda row: formats.plain(row.model.layers), spare=5),
        Column("Parameters", lambda row: formats.millions(row.model.parameters), spare=8),
        *_positive_columns(positive_label(report)),
        Column("Macro F1", lambda row: formats.percent_interval(row.quality.get("f1_macro")), "All classes", spare=3),
        *_ordered_columns(report),
    ]


def quality_sheet(report: Report, marked: str | None = None) -> Sheet:
    """The main table: size, quality on all test rows, retention, latency. `marked`: the model to point out.

    Of a student's gold-only twins it has only the better one.
    """
    columns = [*quality_columns(report), *_majority_columns(report), *_retention_columns(report), *_latency_columns()]
    first = next((row.quality for row in model_rows(report) if row.quality), {})
    notes = [
        *absent_classes(report, first),
        _positive_note(report),
        _ORDERED_NOTE if _ordered_columns(report) else "",
        *_retention_notes(report),
        "Latency at batch 1; speed-up over the document teacher.",
    ]
    seed = "" if len(report.get("seeds") or []) > 1 else ", one training seed"
    caption = " ".join([f"All test rows{seed}; percent with 95% intervals.", *(note for note in notes if note)])
    hidden = other_twins(report)
    rows = [row for row in model_rows(report) if row.name not in hidden]
    return Sheet(caption, columns, rows, role_heading, lambda row: row.name == marked)


def per_test_sheet(report: Report, test: str) -> Sheet:
    """Quality of every model on one named test."""
    rows = [row for row in model_rows(report, test) if row.quality]
    counts = {formats.integer(row.quality["rows"]) for row in rows if row.quality.get("rows") is not None}
    size = f" ({counts.pop()} rows)" if len(counts) == 1 else ""
    lacking = absent_classes(report, rows[0].quality, f"row of test “{test}”") if rows else []
    caption = " ".join([f"Test “{test}”{size}: quality in percent with 95% intervals.", *lacking])
    return Sheet(caption, quality_columns(report), rows, role_heading)


def comparison_sheet(report: Report) -> Sheet:
    """Paired differences between two models on the same rows; over several seeds also the least and the greatest."""
    caption = "Paired bootstrap on the same test rows; differences in points (log loss as it is), with 95% intervals."
    return pairs_sheet(comparisons_of(report), caption)


def pairs_sheet(rows: Sequence[Comparison], caption: str) -> Sheet:
    """Paired differences of any two models."""
    seeds = [Column("A − B by seed", _differences)] if any(row.spread for row in rows) else []
    columns = [
        Column("A", lambda row: str(row.a), kind="name"),
        Column("B", lambda row: str(row.b), kind="name"),
        Column("Metric", lambda row: str(row.metric), kind="text"),
        Column("A − B", _difference),
        *seeds,
        Column("p", lambda row: formats.p_value(row.p_value)),
        Column("Reading", reading, kind="text"),
    ]
    return Sheet(caption, columns, rows)


def reading(row: Comparison) -> str:
    """Which of two compared models is better, as far as the interval shows."""
    pair = formats.bounds(row.interval)
    if pair is None:
        return formats.MISSING
    if pair[0] <= 0 <= pair[1]:
        return "no difference shown"
    return "A is better" if (pair[0] > 0) != (row.metric in LOWER_IS_BETTER) else "B is better"


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


def _ordered_columns(report: Report) -> list[Column]:
    """Of labels on a scale: weighted kappa and how many places answers are off."""
    if not any("kappa_quadratic" in dig(model.quality) for model in models_of(report)):
        return []
    return [
        Column("Weighted kappa", lambda row: formats.percent_interval(row.quality.get("kappa_quadratic")), "", spare=7),
        Column("Places off", lambda row: _places(row.quality.get("grade_distance")), "", spare=8),
    ]


def _places(figure: object) -> str:
    value = formats.number(figure)
    return formats.MISSING if value is None else f"{value:.3f}"


def _majority_columns(report: Report) -> list[Column]:
    return [Column("Above the majority answer", _above_majority, kind="check")] if over_majority_known(report) else []


def _above_majority(row: ModelRow) -> str:
    """Whether the model is above the majority answer by its intervals, and where it is not."""
    if not row.model.over_majority:
        return formats.MISSING
    short = [METRIC_NAMES[name] for name in row.model.shortfalls()]
    return f"no ({', '.join(short)})" if short else "yes"


def _retention_columns(report: Report) -> list[Column]:
    group = "Retention over majority" if over_majority_known(report) else "Retention of macro F1"
    return [
        Column(f"{view} teacher", _retention_cell(view), group, f"Retention, {view} teacher", spare=spare)
        for view, spare in (("document", 1), ("card", 3))
    ]


def _retention_notes(report: Report) -> list[str]:
    if not over_majority_known(report):
        return []
    formula = "Retention: (model − majority) / (teacher − majority) in macro F1."
    kept = [formats.number(value) or 0.0 for row in model_rows(report) for value in dig(row.model.retention).values()]
    return [formula, *(["Over 100%: the teacher is worse than that model."] if max(kept, default=0.0) > 1 else [])]


def _latency_columns() -> list[Column]:
    ms, speed = "Latency, ms", "Speed-up"
    return [
        Column("p50", lambda row: formats.three_digits(row.latency.p50_ms), ms, "p50, ms", spare=2),
        Column("p99", lambda row: formats.three_digits(row.latency.p99_ms), ms, "p99, ms", spare=7),
        Column("over PyTorch teacher", _speed_cell("speedup_vs_teacher"), speed, "Speed-up"),
        Column("over fastest teacher", _speed_cell("speedup_vs_best_teacher"), speed, "Over fastest teacher", spare=10),
    ]


def _positive_note(report: Report) -> str:
    label = positive_label(report)
    if label is None:
        return ""
    rule = "at the threshold with the best F1 on validation"
    return f"Accuracy, precision, recall and F1: “{label}” against the rest, {rule}."


def _retention_cell(view: str) -> Callable[[ModelRow], str]:
    return lambda row: formats.percent_interval(dig(row.model.retention).get(view))


def _speed_cell(key: str) -> Callable[[ModelRow], str]:
    return lambda row: formats.times(getattr(row.latency, key))


def _difference(row: Comparison) -> str:
    return formats.signed_interval(row.difference, row.interval, *_scale(row))


def _differences(row: Comparison) -> str:
    return formats.signed_range(row.spread, *_scale(row))


def _scale(row: Comparison) -> tuple[float, int]:
    """What a difference is multiplied by, and its decimals."""
    return (1, 4) if row.metric in NOT_A_SHARE else (100, 2)
