"""What `distill retune` chose: sentences, the calibration of each file and its operating points, before and after."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from distill.core.files import Json
from distill.report import formats
from distill.report.finding import Finding, Lines
from distill.report.table_model import Column, Sheet

_Row = tuple[str, Json]
_Point = tuple[str, str, Json, Json]


def retune_finding(found: Json) -> Finding:
    """What is told of a retuned bundle."""
    tables = [sheet for sheet in (calibration_sheet(found), points_sheet(found)) if sheet.rows]
    spaced = [part for sheet in tables for part in ("", sheet)]
    return Finding(found, [*_sentences(found), *spaced, "", *_notes(found), Lines((f"bundle: {found['out']}",))])


def calibration_sheet(found: Json) -> Sheet:
    """Temperature, log loss and calibration error of each file."""
    columns = [
        Column("File", lambda row: row[0], kind="name"),
        Column("T before", lambda row: f"{row[1]['temperature_before']:.4g}"),
        Column("T", lambda row: f"{row[1]['temperature']:.4g}"),
        *(_metric(f"Log loss{head}", "log_loss", side) for head, side in ((" before", "before"), ("", "after"))),
        Column("Change", _change),
        *(_metric(f"ECE{head}", "ece", side) for head, side in ((" before", "before"), ("", "after"))),
    ]
    caption = "Each half of the clusters with the temperature of the other half, 95% intervals; ECE in percent."
    return Sheet(caption, columns, list(found["artifacts"].items()))


def points_sheet(found: Json) -> Sheet:
    """Threshold, precision and recall of each operating point of each file."""
    sides = ((" before", "before"), ("", "after"))
    costs = bool(found["costs"])
    columns = [
        Column("File", lambda row: row[0], kind="name"),
        Column("Point", lambda row: row[1], kind="name"),
        Column("Threshold before", _threshold("threshold_before")),
        Column("Threshold", _threshold("threshold")),
        *(_figure(f"Precision{head}", "precision", side) for head, side in sides),
        *(_figure(f"Recall{head}", "recall", side) for head, side in sides),
        *(_figure(f"F1{head}", "f1", side, spare=2) for head, side in sides),
        *(Column(f"Cost{head}", _cost(side)) for head, side in sides if costs),
        Column("Decided otherwise", lambda row: formats.percent(row[2]["decided_otherwise"]), spare=1),
    ]
    caption = (
        "Percent; each half of the clusters at the threshold of the other half, which may not reach a point, 95% "
        "intervals. Of a point that asks for a share, the lower end of its interval on all rows reaches it."
    )
    rows = [
        (name, point, chosen, one)
        for name, one in found["artifacts"].items()
        for point, chosen in one["points"].items()
    ]
    return Sheet(caption, columns, rows)


def _sentences(found: Json) -> Iterator[str]:
    keys = f" of {', '.join(found['keys'])}" if found["keys"] else ", each row its own"
    yield f"{found['rows']} labelled rows in {found['clusters']} clusters{keys}. Labels of answers stay as they were."
    for name, one in found["artifacts"].items():
        yield f"{name}: a probability changes by {formats.percent(one['probability_change'])} points on average."
    if found["class_mix"]:
        own, mix = found["shares"], found["class_mix"]
        listed = ", ".join(f"{label} {_share(own[label])} → {_share(mix[label])}" for label in mix)
        yield f"For another mix of labels: {listed}. Rows count by it in every choice and figure."
        exact = next(iter(found["artifacts"].values()))
        yield (
            "Probabilities stay those of one temperature, which every client knows. Corrected for the mix, p(c) · new "
            f"share / old share over their sum, their log loss would be {exact['log_loss_if_corrected']:.4f}."
        )


def _notes(found: Json) -> Iterator[str]:
    for name, one in found["artifacts"].items():
        for point, chosen in one["points"].items():
            if chosen["threshold"] is None:
                yield f"{name}: {point} is not reached: {_why(chosen)}. It has no threshold in the new bundle."
        if one["at_bound"]:
            yield f"{name}: the temperature is the bound of what is looked for: not calibrated."
    left = found["left_out"]
    if left["rows"]:
        listed = "; ".join(f"line {one['line']}: {one['reason']}" for one in left["first"])
        more = f"; and {left['rows'] - len(left['first'])} more" if left["rows"] > len(left["first"]) else ""
        yield f"{left['rows']} {'row is' if left['rows'] == 1 else 'rows are'} left out: {listed}{more}"
    if found["was_signed"]:
        yield "The old bundle is signed; its signature does not fit the new one: sign that with distill sign."


def _why(chosen: Json) -> str:
    if chosen["nearest"] is None:
        return "calling no row positive costs least"
    return (
        f"the lower end is {formats.percent(chosen['nearest'])}% at best, {formats.percent(chosen['least'])}% is asked"
    )


def _metric(head: str, metric: str, side: str) -> Column:
    return Column(head, lambda row: formats.metric_interval(metric, row[1][side][metric]))


def _change(row: _Row) -> str:
    gap = row[1]["log_loss_change"]
    return formats.signed_interval(gap["difference"], gap, 1, 4)


def _threshold(key: str) -> Callable[[_Point], str]:
    def cell(row: _Point) -> str:
        least = formats.number(row[2][key])
        return formats.MISSING if least is None else f"{least:.4f}"

    return cell


def _figure(head: str, figure: str, side: str, spare: int = 0) -> Column:
    return Column(head, lambda row: formats.percent_interval((_at(row, side) or {}).get(figure)), spare=spare)


def _cost(side: str) -> Callable[[_Point], str]:
    return lambda row: formats.three_digits((_at(row, side) or {}).get("cost"))


def _at(row: _Point, side: str) -> Any:
    return row[3][side]["points"].get(row[1])


def _share(value: float) -> str:
    return f"{formats.percent(value, 1)}%"
