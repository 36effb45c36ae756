"""What is wrong with the order of teacher, student, gold-only twin and majority answer, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator

from distill.core.files import Json
from distill.evaluation.direction import gain, unit
from distill.evaluation.entries import ModelFigures
from distill.evaluation.gates import OVER_GOLD
from distill.evaluation.holm import is_shown
from distill.evaluation.majority import MAJORITY
from distill.report import formats
from distill.report.causes import explained, labellers
from distill.report.contents import (
    Report,
    dig,
    entries,
    figure_of,
    gates_of,
    models_of,
    over_majority_known,
    positive_label,
)
from distill.report.names import CONTROLS, METRIC_NAMES, kept_in, metric_name, teacher_of
from distill.report.table_model import ModelRow
from distill.report.training import undertrained

_VIEWS = ("document", "card")


def advice(report: Report, row: ModelRow) -> list[str]:
    """The sentences that follow the first one. Args: row: the model that the first one is about."""
    students = [model for model in models_of(report) if model.role == "student"]
    return [
        *_kept(report, row),
        *(sentence for model in students for sentence in _over_gold(report, model)),
        *_under_controls(report),
        *_not_above(report),
        *_early(report),
    ]


def kept_of_teachers(report: Report, row: ModelRow) -> str:
    """What of the document teacher and what of the card teacher the model has, both with intervals; may be empty."""
    known = [view for view in _VIEWS if formats.number(dig(row.model.retention).get(view)) is not None]
    parts = [f"{_share(dig(row.model.retention, view))} of {teacher_of(view, report)}’s" for view in known]
    if not parts:
        return ""
    figure = kept_in(report, dig(row.model.retention, known[0]))
    of_what = f"gain in {figure} over the majority answer" if over_majority_known(report) else figure
    return f"{' and '.join(parts)} {of_what}"


def _kept(report: Report, row: ModelRow) -> Iterator[str]:
    """Each teacher of which nothing is left or nothing could be kept, or that is worse than the model."""
    retention = dig(row.model.retention)
    for view in (view for view in _VIEWS if view in retention):
        share, over = formats.number(retention[view]), over_majority_known(report)
        if share is None or share > 1 or (share <= 0 and over):
            yield _retention(report, row, view)


def _retention(report: Report, row: ModelRow, view: str) -> str:
    kept, teacher = dig(row.model.retention, view), teacher_of(view, report)
    share, low = formats.number(kept), (formats.bounds(kept) or (None, None))[0]
    corrected = over_majority_known(report)
    if share is None:
        return f"{teacher} is not above the majority answer in {kept_in(report, kept)}: there is nothing to keep of it."
    figure = _share(kept)
    if share <= 0:
        return f"{row.name} has nothing of what {teacher} has over the majority answer ({figure})."
    sure = "" if low is not None and low > 1 else ", though not by an interval"
    of_what = kept_in(report, kept)
    above = f"{row.name} is above {teacher}{_gap(report, row, teacher, kept)}, at {figure} of its {of_what}"
    return f"{above}{' over the majority answer' if corrected else ''}: the teacher is worse than its student{sure}."


def _share(kept: Json) -> str:
    return f"{100 * (formats.number(kept) or 0.0):.1f}%{_around(kept)}"


def _gap(report: Report, row: ModelRow, teacher: str, kept: Json) -> str:
    """By how many points of the F1 that is kept the model is above the teacher."""
    metric = str(kept.get("metric", "f1_macro"))
    figures = {model.name: figure_of(report, dig(model.quality), metric) for model in models_of(report)}
    own, other = formats.number(figure_of(report, row.quality, metric)), formats.number(figures.get(teacher))
    return "" if own is None or other is None else f" by {100 * (own - other):.1f} points"


def _over_gold(report: Report, model: ModelFigures) -> Iterator[str]:
    """How a student compares with training on gold alone; empty for a report that never compared them."""
    if not model.asked_over_gold:
        return
    name, apart = model.name, gain(dig(model.over_gold))
    gap, pair = formats.number(apart.get("difference")), formats.bounds(apart)
    if gap is None or pair is None:
        yield f"{name} was not compared with training on gold alone."
    elif _gate_failed(report, OVER_GOLD, name) or (pair[1] < 0 and is_shown(apart)):
        yield f"{name}: {explained(report, model)}."
    else:
        factor, decimals, counted = unit(apart.get("metric"))
        figure = formats.signed_interval(gap, pair, factor, decimals + 1)
        shown = "is better than" if pair[0] > 0 and is_shown(apart) else "is not shown to differ from"
        yield f"{name} {shown} training on gold alone: {figure} {counted}."


def _under_controls(report: Report) -> Iterator[str]:
    """Every control that is shown to be better than a teacher or student, and by how much."""
    models = models_of(report)
    for control in (model.name for model in models if model.control):
        apart = {model.name: gain(dig(model.over_controls, control)) for model in models}
        under = {
            name: one
            for name, one in apart.items()
            if is_shown(one) and (formats.number(one.get("difference")) or 0.0) < 0
        }
        if under:
            named = ", ".join(f"{name} by {_points_below(one)}" for name, one in under.items())
            metric = metric_name(str(next(iter(under.values())).get("metric")), positive_label(report))
            called = CONTROLS.get(control.partition("@")[0])
            title = f"{called} ({control})" if called else control
            yield f"{title[0].upper()}{title[1:]}: better in {metric} than {named}."


def _points_below(apart: Json) -> str:
    """The size of a difference that is below 0, in points or nats with its interval."""
    factor, decimals, counted = unit(apart.get("metric"))
    value, low, high = formats.number(apart.get("difference")) or 0.0, *(formats.bounds(apart) or (0.0, 0.0))
    size, least, most = (f"{-factor * one:.{decimals}f}" for one in (value, high, low))
    return f"{size} {counted} ({least}–{most})"


def _not_above(report: Report) -> Iterator[str]:
    """Every model that is not above the majority answer or the class priors, and what to do where it is a teacher."""
    found = {model.name: model.shortfalls() for model in models_of(report)}
    # An exported file is as far short as its student.
    own = [model.name for model in models_of(report) if model.student == model.name or not found.get(model.student)]
    in_accuracy = [name for name in own if set(found[name]) == {"accuracy"}]
    short = [name for name in own if found[name] and name not in in_accuracy]
    if short:
        named = (f"{name} ({', '.join(_difference(*item) for item in found[name].items())})" for name in short)
        apart = any(_leaves_0_out(*item) for name in short for item in found[name].items())
        more = " An interval that leaves 0 out is not enough among so many comparisons (Holm)." if apart else ""
        yield f"Not shown to be above the majority answer: {'; '.join(named)}.{more}"
    if in_accuracy:
        named = (f"{name} {_difference('accuracy', found[name]['accuracy'], named=False)}" for name in in_accuracy)
        above = "Above the majority answer in macro F1 and log loss, but not shown to be in accuracy"
        yield f"{above}{_largest_class(report)}: {', '.join(named)}."
    for teacher in labellers(report):
        over_priors = found.get(teacher, {}).get("log_loss")
        if over_priors is not None and not _leaves_0_out("log_loss", over_priors):
            more = (
                "train it longer" if undertrained(report, teacher) else "take a larger encoder, or give more gold rows"
            )
            yield f"{teacher} labels without knowing more than the majority answer: {more}."


def _leaves_0_out(metric: str, apart: Json) -> bool:
    """Whether the whole interval of a difference is on its better side."""
    low, high = formats.bounds(apart) or (0.0, 0.0)
    return high < 0 if metric == "log_loss" else low > 0


def _largest_class(report: Report) -> str:
    """What makes accuracy hard to beat, after a comma."""
    majority = next((model for model in models_of(report) if model.name == MAJORITY), None)
    accuracy = formats.number(dig(majority.quality, "accuracy")) if majority else None
    return "" if accuracy is None else f", where the largest class is {formats.percent(accuracy, 1)}% of the rows"


def _early(report: Report) -> Iterator[str]:
    names = dict.fromkeys(str(one.get("model")) for one in entries(report, "training_history"))
    found = [f"{name} ({'; '.join(reasons)})" for name in names if (reasons := undertrained(report, name))]
    if found:
        yield f"Stopped while still learning: {', '.join(found)}."


def _difference(metric: str, apart: Json, *, named: bool = True) -> str:
    scale, decimals = (1, 3) if metric == "log_loss" else (100, 2)
    figure = formats.signed_interval(apart.get("difference"), apart, scale, decimals)
    return f"{METRIC_NAMES[metric]} {figure}" if named else figure


def _around(figure: Json) -> str:
    pair = formats.bounds(figure)
    return "" if pair is None else f" ({100 * pair[0]:.1f}–{100 * pair[1]:.1f})"


def _gate_failed(report: Report, metric: str, subject: str) -> bool:
    """Whether this gate failed, in a report over seeds that of the means."""
    asked = (gate for gate in gates_of(report) if (gate.metric, gate.subject, gate.seed) == (metric, subject, None))
    return any(gate.passed is False for gate in asked)
