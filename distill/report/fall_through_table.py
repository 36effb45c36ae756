"""What sending records on to the teacher is worth: a row for each share, and a sentence on the chosen one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from distill.core.files import Json
from distill.evaluation.entries import FallThroughCurve
from distill.evaluation.holm import is_shown
from distill.report import formats
from distill.report.contents import Report, dig, entries
from distill.report.table_model import Column, Sheet

FIGURES = {"accuracy": "Accuracy", "f1_macro": "Macro F1", "f1": "F1 at its operating point"}


@dataclass(frozen=True)
class Sent:
    """One share. Attributes: row: of the curve of the labels. positive: of that of the positive class, or empty."""

    row: Json
    positive: Json

    @property
    def share(self) -> float | None:
        """The share that the band was chosen for."""
        return formats.number(self.row.get("share"))

    def of(self, figure: str | None) -> Json:
        """The row that has this figure."""
        return self.positive if figure == "f1" else self.row


def curves_of(report: Report) -> list[FallThroughCurve]:
    """The curve of each file."""
    return [FallThroughCurve.from_json(one) for one in entries(report, "fall_through")]


def sent_rows(curve: FallThroughCurve) -> list[Sent]:
    """Every share of a curve, from the file alone to the teacher alone."""
    rows, others = entries(curve.as_json(), "decision"), entries(curve.as_json(), "positive")
    return [Sent(row, others[place] if place < len(others) else {}) for place, row in enumerate(rows)]


def fall_through_sheet(curve: FallThroughCurve) -> Sheet:
    """The table of one file; the chosen share stands out."""
    rows, judged = sent_rows(curve), curve.judged_by
    money = any(one.row.get("money_per_1000") is not None for one in rows)
    columns = [
        Column("Share", lambda one: _share(one.share)),
        Column("Sent on", lambda one: formats.percent_interval(one.row.get("sent"))),
        Column("Accuracy", _figure("accuracy")),
        Column("Macro F1", _figure("f1_macro")),
        *([Column("F1 at its operating point", _figure("f1"))] if any(one.positive for one in rows) else []),
        Column("over random", lambda one: _apart(one, "over_random", judged), str(FIGURES.get(str(judged), ""))),
        Column("over the file", lambda one: _apart(one, "over_model", judged), str(FIGURES.get(str(judged), ""))),
        Column("Mean, ms", lambda one: formats.three_digits(one.row.get("ms"))),
        *(
            [Column("Money per 1,000", lambda one: formats.three_digits(one.row.get("money_per_1000")))]
            if money
            else []
        ),
    ]
    return Sheet(_caption(curve), columns, rows, marked=lambda one: one.share is not None and one.share == curve.chosen)


def fall_through_sentence(curve: FallThroughCurve) -> str:
    """What the chosen share gains and costs, and whether sending at random would do as well."""
    rows = sent_rows(curve)
    chosen = next((one for one in rows if curve.chosen is not None and one.share == curve.chosen), None)
    if chosen is None:
        return f"{curve.model}: no share is within the limits of fall_through, or it was not timed."
    random = _random(curve)
    if not chosen.share:
        return f"{curve.model}: sending nothing on to {curve.teacher} is best on validation. {random}"
    name, gain = FIGURES.get(str(curve.judged_by), "quality"), _apart(chosen, "over_model", curve.judged_by)
    cost = ""
    if chosen.row.get("ms") is not None:
        alone, all_ = (formats.three_digits(one.row.get("ms")) for one in (rows[0], rows[-1]))
        cost = (
            f", {formats.three_digits(chosen.row['ms'])} ms a record on average ({alone} alone, {all_} with all sent)"
        )
    sent = formats.percent(dig(chosen.of(curve.judged_by)).get("sent"), 1)
    return f"{curve.model} sends {sent}% on to {curve.teacher}: {name} {gain}{cost}. {random}"


def _random(curve: FallThroughCurve) -> str:
    which = "positive" if curve.judged_by == "f1" else "decision"
    found = dig(curve.over_random, which, str(curve.judged_by))
    told = formats.signed_interval(found.get("difference"), found, 100, 2)
    if is_shown(found) and (formats.number(found.get("difference")) or 0) > 0:
        return f"Over all shares that is {told} points better than sending as many records at random."
    return f"Over all shares that is not shown to be better than sending as many records at random ({told} points)."


def _caption(curve: FallThroughCurve) -> str:
    chosen_on = f"{formats.integer(curve.chosen_on)} validation rows"
    half = f"; {formats.integer(curve.judged_on)} others choose the share that stands out" if curve.judged_on else ""
    timed = f" Times: medians at batch 1, the teacher’s of {curve.teacher_timed}." if curve.teacher_timed else ""
    return (
        f"{curve.model}: the records that it is least sure of are answered by {curve.teacher}. Percent with 95% "
        f"intervals, on all test rows. Bands are chosen on {chosen_on}{half}: around the label for accuracy and macro "
        f"F1, around the threshold for F1 of the positive class.{timed}"
    )


def _figure(name: str) -> Callable[[Sent], str]:
    return lambda one: formats.percent_interval(one.of(name).get(name))


def _apart(one: Sent, over: str, figure: str | None) -> str:
    apart = dig(one.of(figure), over, str(figure))
    return formats.signed_interval(apart.get("difference"), apart, 100, 2)


def _share(value: Any) -> str:
    return formats.MISSING if value is None else f"{100 * value:.4g}%"
