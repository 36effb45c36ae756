"""Tables that take the test rows apart: by class, by slice, by operating point of the positive class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from distill.core.files import Json
from distill.report import formats
from distill.report.caveats import bounded_temperatures
from distill.report.contents import Report, dig, entries, label_names, other_twins, positive_label
from distill.report.table_model import Column, ModelRow, Sheet, model_rows, role_heading

_DEFAULT_DECISION = "All test rows at the default decision: the most probable class."


def class_sheet(report: Report) -> Sheet:
    """F1 of each class at the largest probability: a row for each class, a column for each model."""
    return _by_class(report, "F1 of each class", _class_f1)


def class_detail_sheet(report: Report) -> Sheet:
    """Precision and recall of each class: a row for each class, a column for each model."""
    return _by_class(report, "Precision / recall of each class", _class_parts)


def chances_sheet(report: Report) -> Sheet:
    """All classes together at the largest probability, and how good the probabilities are."""
    columns = [
        Column("Model", lambda row: row.name, kind="name"),
        Column("Accuracy", lambda row: formats.percent_interval(row.quality.get("accuracy")), "All classes"),
        Column("Macro F1", lambda row: formats.percent_interval(row.quality.get("f1_macro")), "All classes"),
        Column("Log loss", lambda row: _fixed(row.quality.get("log_loss")), "Probabilities"),
        Column("ECE", lambda row: formats.percent(row.quality.get("ece")), "Probabilities"),
        Column("Temperature", _temperature, "Probabilities"),
    ]
    notes = [f"{_DEFAULT_DECISION} Percent with 95% intervals; log loss as it is.", *bounded_temperatures(report)]
    return Sheet(" ".join(notes), columns, _scored(report), role_heading)


def _by_class(report: Report, title: str, cell: Callable[[Json], str]) -> Sheet:
    """A row for each class, so that any number of classes fits. Args: cell: figures of a class -> text."""
    hidden = other_twins(report)
    models = [row for row in _scored(report) if row.name not in hidden]
    absent = dig(models[0].quality if models else None).get("absent") or []

    def of(row: ModelRow) -> Callable[[str], str]:
        return lambda label: cell(dig(row.quality, "per_class", label))

    columns = [Column(row.name, of(row), role_heading(row), row.name) for row in models]
    name = Column("Class", lambda label: f"{label} (no test row)" if label in absent else label, kind="label")
    caption = f"{title}, percent. {_DEFAULT_DECISION}"
    return Sheet(caption, [name, *columns], label_names(report) if models else [])


def slice_sheet(report: Report) -> Sheet:
    """Accuracy of every model in every slice."""
    rows = [row for row in _scored(report) if dig(row.quality, "slices")]
    names = list(dict.fromkeys(name for row in rows for name in dig(row.quality, "slices")))
    columns = [Column(_slice_heading(rows, name), _slice_cell(name)) for name in names]
    model = Column("Model", lambda row: row.name, kind="name")
    return Sheet("Accuracy by slice, percent.", [model, *columns], rows, role_heading)


def slice_rows_sheet(found: Json) -> Sheet:
    """A comparison by slice with a row for each slice, the last one over all test rows."""
    columns = [
        Column("Slice", _slice_name, kind="text"),
        Column("Rows", lambda row: formats.integer(row.get("rows"))),
        Column(f"A: {found.get('a')}", lambda row: formats.percent(row.get("a"))),
        Column(f"B: {found.get('b')}", lambda row: formats.percent(row.get("b"))),
        Column("A − B", _points_apart),
        Column("p", lambda row: formats.p_value(row.get("p_value"))),
        *([Column("p, Holm", lambda row: formats.p_value(row.get("p_holm")))] if _corrected(found) else []),
    ]
    return Sheet(_by_slice_caption(found), columns, entries(found, "rows"))


def _corrected(found: Json) -> bool:
    return any(row.get("p_holm") is not None for row in entries(found, "rows"))


def slices_across_sheet(found: Json) -> Sheet:
    """A comparison by slice with a row for each of the two models, then their difference."""
    parts = entries(found, "rows")
    columns = [
        Column(f"{_slice_name(part)} ({formats.integer(part.get('rows'))} rows)", _figure_of(part)) for part in parts
    ]
    names = {"a": str(found.get("a")), "b": str(found.get("b")), "difference": f"{found.get('a')} − {found.get('b')}"}
    model = Column("Model", lambda key: names[key], kind="name")
    return Sheet(_by_slice_caption(found), [model, *columns], list(names) if parts else [])


def points_sheet(report: Report) -> Sheet:
    """Every operating point of the positive class: the threshold chosen on validation and what it gives on test."""
    rows = [row for row in _scored(report) if row.points]
    rules = list(dict.fromkeys(rule for row in rows for rule in row.points))
    columns = [column for rule in rules for column in _point_columns(rule)]
    caption = (
        f"“{positive_label(report)}” against the rest on all test rows, at the threshold that each rule chose on "
        "validation; percent with 95% intervals, over other test rows and other thresholds."
    )
    return Sheet(caption, [Column("Model", lambda row: row.name, kind="name"), *columns], rows, role_heading)


def _point_columns(rule: str) -> list[Column]:
    group = "Best F1" if rule == "f1" else rule
    parts = ("accuracy", "precision", "recall", "f1")
    return [
        Column("Threshold", _threshold_cell(rule), group, f"{group}: threshold"),
        *(Column(part.capitalize(), _point_cell(rule, part), group, f"{group}: {part}") for part in parts),
    ]


def _scored(report: Report) -> list[ModelRow]:
    return [row for row in model_rows(report) if row.quality]


def _class_f1(figures: Json) -> str:
    return formats.percent_interval(figures.get("f1"), figures.get("f1_interval"))


def _class_parts(figures: Json) -> str:
    return " / ".join(formats.percent(figures.get(part), 1) for part in ("precision", "recall"))


def _temperature(row: ModelRow) -> str:
    text = formats.plain(row.model.temperature)
    return f"{text} (at its bound)" if row.model.at_bound else text


def _slice_name(part: Json) -> str:
    return "all" if part.get("name") is None else str(part["name"] or "no slice")


def _figure_of(part: Json) -> Callable[[str], str]:
    return lambda key: _points_apart(part) if key == "difference" else formats.percent(part.get(key))


def _points_apart(part: Json) -> str:
    return formats.signed_interval(part.get("difference"), part, 100, 2)


def _by_slice_caption(found: Json) -> str:
    seeds, few = found.get("seeds"), [_slice_name(part) for part in entries(found, "rows") if part.get("low") is None]
    means = f", mean of seeds {', '.join(map(str, seeds))}" if seeds else ""
    caption = f"Accuracy by slice, percent{means}; differences in points with 95% intervals, paired on the same rows."
    least = found.get("fewest_clusters")
    return f"{caption} Under {least} clusters, so without interval: {', '.join(few)}." if few else caption


def _slice_cell(name: str) -> Callable[[ModelRow], str]:
    return lambda row: formats.percent_interval(dig(row.quality, "slices", name).get("accuracy"))


def _slice_heading(rows: Sequence[ModelRow], name: str) -> str:
    sizes = (dig(row.quality, "slices", name).get("rows") for row in rows)
    size = next((size for size in sizes if size is not None), None)
    return str(name) if size is None else f"{name} ({formats.integer(size)} rows)"


def _point_cell(rule: str, part: str) -> Callable[[ModelRow], str]:
    return lambda row: formats.percent_interval(
        dig(row.points, rule).get(part), dig(row.points, rule).get(f"{part}_interval", ())
    )


def _threshold_cell(rule: str) -> Callable[[ModelRow], str]:
    return lambda row: (
        "not reached" if row.points.get(rule, ...) is None else _fixed(dig(row.points, rule).get("threshold"), 3)
    )


def _fixed(value: Any, decimals: int = 4) -> str:
    figure = formats.number(value)
    return formats.MISSING if figure is None else f"{figure:.{decimals}f}"
