"""What a report leaves to people: take the model or not, at which threshold, with the teacher behind it or not."""

from __future__ import annotations

from collections.abc import Iterator

from distill.report import formats, verdict
from distill.report.caveats import listed
from distill.report.contents import Report, dig, gates_of, models_of
from distill.report.fall_through_table import curves_of, sent_rows
from distill.report.names import METRIC_NAMES
from distill.report.outcome import outcome_sentence
from distill.report.table_model import ModelRow
from distill.report.training import undertrained

_POINT_FIGURES = ("precision", "recall")


def choices_left(report: Report, row: ModelRow) -> Iterator[str]:
    """What there is to decide, first whether the model may be handed over. Args: row: the model to take."""
    yield _hand_over(report, row)
    yield from _points(row)
    yield from _sending(report, row)
    early = [model.name for model in models_of(report) if undertrained(report, model.name)]
    if early:
        yield f"Whether to train longer first: {listed(early)} stopped while still learning."


def _hand_over(report: Report, row: ModelRow) -> str:
    failed = [gate.name for gate in gates_of(report) if gate.passed is False]
    if failed:
        return (
            f"Nothing is handed over: {verdict.gates_sentence(report)} Mend the cause, or change the limit on purpose."
        )
    if stop := outcome_sentence(report):
        return f"Nothing yet. {stop}"
    state = {"passed": "every gate passed", "open": "not every gate was measured"}[verdict.state(report)]
    return f"Whether {row.name} is good enough to hand over: {state}."


def _points(row: ModelRow) -> Iterator[str]:
    """The operating points that validation reached, where there is a choice."""
    reached = {name: point for name, point in row.points.items() if isinstance(point, dict)}
    if len(reached) < 2:
        return
    told = [f"{'best F1' if name == 'f1' else name} ({', '.join(_shares(point))})" for name, point in reached.items()]
    yield f"At which operating point it serves: {'; '.join(told)}."


def _shares(point: dict[str, object]) -> Iterator[str]:
    for figure in _POINT_FIGURES:
        yield f"{figure} {formats.percent(point.get(figure), 1)}"


def _sending(report: Report, row: ModelRow) -> Iterator[str]:
    """What sending unsure records on to the teacher would bring, where a share is worth it."""
    for curve in curves_of(report):
        chosen = next((one for one in sent_rows(curve) if curve.chosen and one.share == curve.chosen), None)
        if curve.model == row.name and chosen is not None:
            figures = chosen.of(curve.judged_by)
            gain = dig(figures, "over_model", str(curve.judged_by))
            told = formats.signed_interval(gain.get("difference"), gain, 100, 2)
            sent, ms = formats.percent(figures.get("sent"), 1), formats.three_digits(chosen.row.get("ms"))
            cost = f", {ms} ms a record on average" if ms != formats.MISSING else ""
            name = METRIC_NAMES.get(str(curve.judged_by), "F1 at its operating point")
            yield f"Whether {curve.teacher} answers the {sent}% that the file is least sure of: {name} {told}{cost}."
