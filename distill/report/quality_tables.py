"""The main table of a report, the same for one test, and paired differences between models."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from distill.core.objectives.objective import objective
from distill.evaluation.direction import LOWER_IS_BETTER
from distill.evaluation.entries import Comparison
from distill.report import formats
from distill.report.caveats import absent_classes
from distill.report.contents import (
    Report,
    comparisons_of,
    dig,
    label_names,
    models_of,
    other_twins,
    over_majority_known,
    positive_label,
)
from distill.report.figure_columns import PERCENT, PLACES, SHARE, Figures, best_by
from distill.report.names import METRIC_NAMES, kept_in
from distill.report.table_model import Column, ModelRow, Sheet, model_rows, role_heading

NOT_A_SHARE = {"log_loss"}
_HEADS = {"accuracy": "Accuracy", "precision": "Precision", "recall": "Recall", "f1": "F1"}
_ORDERED_NOTE = "Weighted kappa (quadratic) and places off: the labels as a scale; 0 places off is right."


def decision(report: Report) -> str:
    """The one rule by which labels are given in every table but those of operating points and thresholds."""
    task = dig(report, "task")
    return objective(str(task.get("kind", "single")), len(label_names(report))).rule


def differences(report: Report) -> str:
    """What the figures of a table of paired differences are."""
    return f"differences in points (log loss as it is), with 95% intervals, at {decision(report)}"


def quality_columns(report: Report, test: str | None = None) -> list[Column]:
    """Model, size and quality at the default decision; the columns that every table of models starts with."""
    figures = Figures.of(report, test)
    return [
        Column("Model", lambda row: row.name, kind="name"),
        Column("Layers", lambda row: formats.plain(row.model.layers), spare=5),
        Column("Parameters", lambda row: formats.millions(row.model.parameters), spare=8),
        *_positive_columns(report, figures),
        figures.column("Macro F1", ("f1_macro",), "All classes", spare=3),
        *(weighted_columns(report, figures) if report.get("metric") == "f1_weighted" else []),
        *_ordered_columns(report, figures),
    ]


def quality_sheet(report: Report, marked: str | None = None) -> Sheet:
    """The main table: size, quality on all test rows, retention, latency. `marked`: the model to point out.

    Of a student's gold-only twins it has only the better one.
    """
    columns = [*quality_columns(report), *_majority_columns(report), *_retention_columns(report), *_latency_columns()]
    first = next((row.quality for row in model_rows(report) if row.quality), {})
    notes = [
        *absent_classes(report, first),
        _rule_note(report),
        _ORDERED_NOTE if _is_scale(report) else "",
        Figures.of(report).note,
        *_retention_notes(report),
        "Latency at batch 1; speed-up over the document teacher.",
    ]
    caption = " ".join(
        [f"All test rows{_seed(report)}; percent with 95% intervals.", *(note for note in notes if note)]
    )
    hidden = other_twins(report)
    rows = [row for row in model_rows(report) if row.name not in hidden]
    return Sheet(caption, columns, rows, role_heading, lambda row: row.name == marked)


def per_test_sheet(report: Report, test: str) -> Sheet:
    """Quality of every model on one named test."""
    rows = [row for row in model_rows(report, test) if row.quality]
    counts = {formats.integer(row.quality["rows"]) for row in rows if row.quality.get("rows") is not None}
    size = f" ({counts.pop()} rows)" if len(counts) == 1 else ""
    lacking = absent_classes(report, rows[0].quality, f"row of test “{test}”") if rows else []
    rule = f"At {decision(report)}."
    notes = " ".join([rule, *lacking, Figures.of(report, test).note]).strip()
    caption = f"Test “{test}”{size}{_seed(report)}: quality in percent with 95% intervals. {notes}"
    return Sheet(caption, quality_columns(report, test), rows, role_heading)


def comparison_sheet(report: Report) -> Sheet:
    """Paired differences between two models on the same rows; over several seeds also the least and the greatest."""
    caption = f"Paired bootstrap on the same test rows{_seed(report)}; {differences(report)}."
    return pairs_sheet(comparisons_of(report), caption)


def pairs_sheet(rows: Sequence[Comparison], caption: str) -> Sheet:
    """Paired differences of any two models, each read by its p-value corrected over the table."""
    known = any(row.p_holm is not None for row in rows)
    by_holm = [Column("p, Holm", lambda row: formats.p_value(row.p_holm))] if known else []
    if known:
        caption += f" The reading is by p after Holm’s correction for the {len(rows)} comparisons of this table."
    seeds = [Column("A − B by seed", _differences)] if any(row.spread for row in rows) else []
    exact = [Column("McNemar, Holm", _exact, spare=1)] if any(row.mcnemar for row in rows) else []
    if exact:
        caption += " McNemar: rows that only A and only B has right, and the exact p, corrected over these tests."
    columns = [
        Column("A", lambda row: str(row.a), kind="name"),
        Column("B", lambda row: str(row.b), kind="name"),
        Column("Metric", lambda row: str(row.metric), kind="text"),
        Column("A − B", _difference),
        *seeds,
        Column("p", lambda row: formats.p_value(row.p_value)),
        *by_holm,
        *exact,
        Column("Reading", reading, kind="text"),
    ]
    return Sheet(caption, columns, rows)


def _exact(row: Comparison) -> str:
    found = row.mcnemar
    return f"{found['only_a']} / {found['only_b']}, {formats.p_value(found['p_holm'])}" if found else formats.MISSING


def reading(row: Comparison) -> str:
    """Which of two compared models is better, as far as that is shown (`is_shown`)."""
    pair = formats.bounds(row.interval)
    if pair is None:
        return formats.MISSING
    if not row.shown:
        return "no difference shown"
    return "A is better" if (sum(pair) > 0) != (row.metric in LOWER_IS_BETTER) else "B is better"


def weighted_columns(report: Report, figures: Figures) -> list[Column]:
    """F1 weighted by the rows of each class; none in reports of older runs."""
    if not any("f1_weighted" in dig(model.quality) for model in models_of(report)):
        return []
    return [figures.column("Weighted F1", ("f1_weighted",), "All classes", spare=3)]


def _positive_columns(report: Report, figures: Figures) -> list[Column]:
    """Accuracy, and of the positive class against the rest also precision, recall and F1, all at one rule."""
    label = positive_label(report)
    everything = figures.column("Accuracy", ("accuracy",), "All classes")
    if label is None:
        return [everything]

    def column(name: str, spare: int = 0) -> Column:
        how = PERCENT if name == "f1" else SHARE
        return figures.column(_HEADS[name], ("per_class", label, name), group, spare=spare, how=how)

    group = f"{label} against the rest"
    known = any("accuracy" in dig(row.quality, "per_class", label) for row in model_rows(report))
    return [
        column("accuracy", 4) if known else everything,
        column("precision", 6),
        column("recall", 6),
        column("f1"),
    ]


def _is_scale(report: Report) -> bool:
    return any("kappa_quadratic" in dig(model.quality) for model in models_of(report))


def _ordered_columns(report: Report, figures: Figures) -> list[Column]:
    """Of labels on a scale: weighted kappa and how many places answers are off."""
    if not _is_scale(report):
        return []
    return [
        figures.column("Weighted kappa", ("kappa_quadratic",), spare=7),
        figures.column("Places off", ("grade_distance",), spare=8, how=PLACES),
    ]


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
        Column(
            f"{view} teacher",
            _retention_cell(view),
            group,
            f"Retention, {view} teacher",
            spare=spare,
            figure=best_by(_retention(view), 4),
        )
        for view, spare in (("document", 1), ("card", 3))
    ]


def _retention_notes(report: Report) -> list[str]:
    if not over_majority_known(report):
        return []
    kept = [formats.number(value) or 0.0 for row in model_rows(report) for value in dig(row.model.retention).values()]
    return [
        f"Retention: (model − majority) / (teacher − majority) in {_kept_in(report)}.",
        *(["Over 100%: the teacher is worse than that model."] if max(kept, default=0.0) > 1 else []),
    ]


def _kept_in(report: Report) -> str:
    """The figures that retention is in: macro F1, and those of models that tell one class from the rest by name."""
    apart = dict[str, list[str]]()
    for row in model_rows(report):
        for value in dig(row.model.retention).values():
            if (figure := kept_in(report, dig(value))) != METRIC_NAMES["f1_macro"]:
                apart.setdefault(figure, []).append(row.name)
    said = [f"of {', '.join(dict.fromkeys(names))} in {figure}" for figure, names in apart.items()]
    return "; ".join([METRIC_NAMES["f1_macro"], *said])


def _latency_columns() -> list[Column]:
    ms, speed = "Latency, ms", "Speed-up"
    return [
        _timed("p50", "p50_ms", ms, "p50, ms", 2),
        _timed("p99", "p99_ms", ms, "p99, ms", 7),
        _faster("over PyTorch teacher", "speedup_vs_teacher", speed, "Speed-up", 0),
        _faster("over fastest teacher", "speedup_vs_best_teacher", speed, "Over fastest teacher", 10),
    ]


def _rule_note(report: Report) -> str:
    """What precision, recall and every F1 of the table are of, and the rule by which labels are given."""
    label = positive_label(report)
    if label is None:
        return f"Macro F1 at {decision(report)}."
    known = any("accuracy" in dig(row.quality, "per_class", label) for row in model_rows(report))
    which = "Accuracy, precision, recall and F1" if known else "Precision, recall and F1"
    return f"{which}: “{label}” against the rest; these and macro F1 at {decision(report)}."


def _seed(report: Report) -> str:
    """The seed of a run that has one: its figures say nothing of others."""
    seeds = report.get("seeds") or []
    if len(seeds) > 1:
        return ""
    seed = seeds[0] if seeds else report.get("training_seed")
    return ", one training seed" if seed is None else f", one seed: {seed}"


def _retention(view: str) -> Callable[[ModelRow], object]:
    return lambda row: dig(row.model.retention).get(view)


def _retention_cell(view: str) -> Callable[[ModelRow], str]:
    return lambda row: formats.percent_interval(_retention(view)(row))


def _timed(name: str, key: str, group: str, alone: str, spare: int) -> Column:
    figure = best_by(lambda row: getattr(row.latency, key))
    return Column(
        name,
        lambda row: formats.three_digits(getattr(row.latency, key)),
        group,
        alone,
        spare=spare,
        figure=figure,
        lower=True,
    )


def _faster(name: str, key: str, group: str, alone: str, spare: int) -> Column:
    figure = best_by(lambda row: getattr(row.latency, key))
    return Column(name, lambda row: formats.times(getattr(row.latency, key)), group, alone, spare=spare, figure=figure)


def _difference(row: Comparison) -> str:
    return formats.signed_interval(row.difference, row.interval, *_scale(row))


def _differences(row: Comparison) -> str:
    return formats.signed_range(row.spread, *_scale(row))


def _scale(row: Comparison) -> tuple[float, int]:
    """What a difference is multiplied by, and its decimals."""
    return (1, 4) if row.metric in NOT_A_SHARE else (100, 2)
