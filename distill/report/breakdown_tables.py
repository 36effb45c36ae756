"""Tables that take the test rows apart: by class, by slice, by operating point of the positive class."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from distill.core.files import Json
from distill.report import formats
from distill.report.caveats import bounded_temperatures
from distill.report.contents import Report, dig, entries, label_names, other_twins, positive_label
from distill.report.figure_columns import DELTA, ERROR, LOG_LOSS, PERCENT, Figures, Shown, best_by
from distill.report.quality_tables import decision, weighted_columns
from distill.report.table_model import Column, ModelRow, Sheet, model_rows, role_heading


def class_sheet(report: Report) -> Sheet:
    """F1 of each class at the largest probability: a row for each class, a column for each model."""
    return _by_class(report, "F1 of each class", ("f1",), PERCENT)


def class_detail_sheet(report: Report) -> Sheet:
    """Precision and recall of each class: a row for each class, a column for each model."""
    return _by_class(
        report, "Precision / recall of each class", ("precision", "recall"), Shown(decimals=1, interval=False)
    )


def chances_sheet(report: Report) -> Sheet:
    """All classes together at the largest probability, and how good the probabilities are."""
    figures = Figures.of(report)
    columns = [
        Column("Model", lambda row: row.name, kind="name"),
        figures.column("Accuracy", ("accuracy",), "All classes"),
        figures.column("Macro F1", ("f1_macro",), "All classes"),
        *weighted_columns(report, figures),
        figures.column("Log loss", ("log_loss",), "Probabilities", how=LOG_LOSS),
        figures.column("ECE", ("ece",), "Probabilities", how=ERROR),
        Column("Temperature", _temperature, "Probabilities"),
    ]
    notes = [
        f"{_rows_and_decision(report)} Percent with 95% intervals; log loss as it is.",
        *bounded_temperatures(report),
    ]
    notes += [figures.note] if figures.note else []
    return Sheet(" ".join(notes), columns, _scored(report), role_heading)


def _rows_and_decision(report: Report) -> str:
    return f"All test rows at the default decision: {decision(report)}."


def _by_class(report: Report, title: str, parts: tuple[str, ...], how: Shown) -> Sheet:
    """A row for each class, so that any number of classes fits, and its best model marked where a cell is one figure.

    Args: parts: of a class, shown side by side.
    """
    hidden, figures = other_twins(report), Figures.of(report)
    models = [row for row in _scored(report) if row.name not in hidden]
    absent = dig(models[0].quality if models else None).get("absent") or []

    def column(row: ModelRow) -> Column:
        def cell(label: str) -> str:
            return " / ".join(figures.text(row, ("per_class", label, part), how) for part in parts)

        by = best_by(lambda label: dig(row.quality, "per_class", label).get(parts[0]), 4) if len(parts) == 1 else None
        return Column(row.name, cell, role_heading(row), row.name, figure=by)

    name = Column("Class", lambda label: f"{label} (no test row)" if label in absent else label, kind="label")
    caption = " ".join(filter(None, [f"{title}, percent. {_rows_and_decision(report)}", figures.note]))
    columns = [name, *map(column, models)]
    return Sheet(caption, columns, label_names(report) if models else [], across=True)


def slice_sheet(report: Report) -> Sheet:
    """Accuracy of every model in every slice."""
    rows = [row for row in _scored(report) if dig(row.quality, "slices")]
    names = list(dict.fromkeys(name for row in rows for name in dig(row.quality, "slices")))
    figures = Figures.of(report)
    columns = [figures.column(_slice_heading(rows, name), ("slices", name, "accuracy")) for name in names]
    model = Column("Model", lambda row: row.name, kind="name")
    known = any("accuracy_interval" in dig(row.quality, "slices", name) for row in rows for name in names)
    caption = f"Accuracy by slice, percent{' with 95% intervals' if known else ''}."
    if figures.baseline is not None:
        caption += f" {DELTA}: difference to {figures.baseline}, without interval."
    return Sheet(caption, [model, *columns], rows, role_heading)


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
    figures = Figures.of(report)
    columns = [column for rule in rules for column in _point_columns(rule, figures)]
    caption = (
        f"“{positive_label(report)}” against the rest on all test rows, at the threshold that each rule chose on "
        "validation; percent with 95% intervals, over other test rows and other thresholds."
    )
    if figures.baseline is not None:
        caption += f" {DELTA}: difference to {figures.baseline}, without interval."
    return Sheet(caption, [Column("Model", lambda row: row.name, kind="name"), *columns], rows, role_heading)


def _point_columns(rule: str, figures: Figures) -> list[Column]:
    group = "Best F1" if rule == "f1" else rule
    parts, place = ("accuracy", "precision", "recall", "f1"), ("positive", "operating_points", rule)
    return [
        Column("Threshold", _threshold_cell(rule), group, f"{group}: threshold"),
        *(figures.column(part.capitalize(), (*place, part), group, f"{group}: {part}") for part in parts),
    ]


def _scored(report: Report) -> list[ModelRow]:
    return [row for row in model_rows(report) if row.quality]


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


def _slice_heading(rows: Sequence[ModelRow], name: str) -> str:
    sizes = (dig(row.quality, "slices", name).get("rows") for row in rows)
    size = next((size for size in sizes if size is not None), None)
    return str(name) if size is None else f"{name} ({formats.integer(size)} rows)"


def _threshold_cell(rule: str) -> Callable[[ModelRow], str]:
    return lambda row: (
        "not reached" if row.points.get(rule, ...) is None else formats.fixed(dig(row.points, rule).get("threshold"), 3)
    )
