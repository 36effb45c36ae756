"""Whose labels the students learned: what was asked, what was taken and why, and the candidates on validation."""

from __future__ import annotations

from dataclasses import replace

from distill.core.files import Json
from distill.evaluation.entries import Comparison
from distill.report import formats
from distill.report.contents import Report, comparisons_of, dig, entries
from distill.report.figure_columns import best_by
from distill.report.quality_tables import decision, differences, pairs_sheet
from distill.report.table_model import Column, Sheet


def choice_sentence(report: Report) -> str:
    """What the labels are, in one sentence; empty where no choice was written."""
    choice = dig(report, "choice")
    if not choice:
        return ""
    weights = dig(choice, "teachers")
    members = ", ".join(
        f"{name} × {formats.plain(round(weight, 3))}" if len(weights) > 1 else name for name, weight in weights.items()
    )
    taken = f"{choice.get('taken')} ({members})" if members else str(choice.get("taken"))
    why = str(choice.get("why") or "").strip().rstrip(".")
    by_seed = ", ".join(f"seed {seed} {name}" for seed, name in dig(choice, "taken_by_seed").items())
    asked = f"Labels: {taken}, asked for {choice.get('asked')}" + (f": {why}." if why else ".")
    return f"{asked} By seed: {by_seed}." if by_seed else asked


def worse_classes(report: Report) -> list[str]:
    """One sentence for each class in which one teacher is worse than the other by an interval."""
    return [_worse(row) for row in entries(dig(report, "choice"), "worse_classes")]


def _worse(row: Json) -> str:
    gap, pair = formats.number(row.get("difference")) or 0.0, formats.bounds(row) or (0.0, 0.0)
    worse, better = (row.get("a"), row.get("b")) if gap < 0 else (row.get("b"), row.get("a"))
    low, high = sorted(100 * abs(end) for end in pair)
    points = f"{100 * abs(gap):.1f} points of F1 ({low:.1f}–{high:.1f})"
    return f"In “{row.get('class')}” {worse} is {points} under {better} on validation."


def choice_sheet(report: Report) -> Sheet:
    """The candidates on validation; the one taken stands out."""
    choice = dig(report, "choice")
    columns = [
        Column("Labels", lambda row: str(row.get("name")), kind="name"),
        *_validation_columns(),
        Column("Log loss against the priors", _over_priors),
    ]
    rows = formats.integer(choice.get("rows"))
    caption = (
        f"Candidates on {rows} validation rows, at {decision(report)}, with 95% intervals; the one taken stands out."
    )
    return Sheet(
        caption, columns, entries(choice, "candidates"), marked=lambda row: row.get("name") == choice.get("taken")
    )


def _validation_columns() -> list[Column]:
    def percent(name: str, key: str) -> Column:
        best = best_by(lambda row: row.get(key), 4)
        return Column(name, lambda row: formats.percent_interval(row.get(key)), figure=best)

    loss = best_by(lambda row: row.get("log_loss"), 4)
    return [
        Column(
            "Log loss", lambda row: formats.metric_interval("log_loss", row.get("log_loss")), figure=loss, lower=True
        ),
        percent("Accuracy", "accuracy"),
        percent("Macro F1", "f1_macro"),
    ]


def teachers_sheet(report: Report) -> Sheet:
    """What each teacher alone would give, with its weight in the labels and in the mixture; the members stand out."""
    choice = dig(report, "choice")
    taken, mixture = dig(choice, "teachers"), dig(choice, "mixture", "weights")
    columns = [
        Column("Teacher", lambda row: str(row.get("name")), kind="name"),
        Column("Weight", lambda row: formats.fixed(taken.get(row.get("name")), 3)),
        *([Column("In the mixture", lambda row: formats.fixed(mixture.get(row.get("name")), 3))] if mixture else []),
        *_validation_columns(),
    ]
    caption = "What each teacher alone would give on the same validation rows; the members of the labels stand out."
    return Sheet(caption, columns, entries(choice, "alone"), marked=lambda row: row.get("name") in taken)


def class_weights_sheet(report: Report) -> Sheet:
    """Weights by class, of a mixture that has such; otherwise empty."""
    choice = dig(report, "choice")
    weights, labels = dig(choice, "class_weights"), dig(report, "task").get("labels") or []
    columns = [Column("Class", lambda row: str(row[0]), kind="label")]
    columns += [_weight_of(name) for name in weights]
    rows = [(label, {name: own[at] for name, own in weights.items()}) for at, label in enumerate(labels) if weights]
    losses = dig(choice, "mixture", "log_loss")
    plain, by_class = (formats.fixed(losses.get(name), 4) for name in ("plain", "by_class"))
    caption = f"Weights by class. Out of fold their log loss is {by_class}, with one weight for each teacher {plain}."
    return Sheet(caption, columns, rows)


def choice_pairs_sheet(report: Report) -> Sheet:
    """Paired differences between the candidates."""
    caption = f"Paired bootstrap on the same validation rows; {differences(report)}."
    return pairs_sheet(comparisons_of(dig(report, "choice"), "differences"), caption)


def asked_twins_sheet(report: Report) -> Sheet:
    """The labels against each student's gold-only twin; a twin that is better by an interval stands out."""
    asked = dig(report, "asked_twins")
    caption = (
        f"The labels ({asked.get('labels')}) against training on gold alone, on the same "
        f"{formats.integer(asked.get('rows'))} validation rows; {differences(report)}."
    )
    return replace(pairs_sheet(comparisons_of(asked), caption), marked=_twin_is_better)


def better_twins(report: Report) -> list[str]:
    """One sentence for each gold-only twin that is better on validation than the labels, by an interval of log loss."""
    return [_better(row) for row in comparisons_of(dig(report, "asked_twins")) if _twin_is_better(row)]


def _twin_is_better(row: Comparison) -> bool:
    pair = formats.bounds(row.interval)
    return row.metric == "log_loss" and pair is not None and pair[0] > 0 and row.shown


def _better(row: Comparison) -> str:
    gap, (low, high) = formats.number(row.difference) or 0.0, formats.bounds(row.interval) or (0.0, 0.0)
    by = f"by {gap:.3f} ({low:.3f}–{high:.3f}) in log loss"
    return f"{row.b}, trained on gold alone, is better than the labels on validation {by}: distilling will hardly help."


def _over_priors(row: Json) -> str:
    apart = dig(row, "over_priors")
    return formats.signed_interval(apart.get("difference"), apart, 1, 4)


def _weight_of(teacher: str) -> Column:
    return Column(teacher, lambda row: formats.fixed(row[1][teacher], 3))
