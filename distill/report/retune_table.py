"""What `distill retune` chose: sentences, the calibration of each file and its operating points, before and after."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from distill.core.files import Json
from distill.report import formats
from distill.report.finding import Finding, Lines
from distill.report.table_model import Column, Sheet

_SIDES = ("before", "after")
_Row = tuple[str, Json, str]  # a file, what is found of it, a side
_Point = tuple[str, str, Json, Json, str]  # a file, a point, what is chosen, figures of the file, a side


def retune_finding(found: Json) -> Finding:
    """What is told of a retuned bundle."""
    tables = [sheet for sheet in (calibration_sheet(found), points_sheet(found), thresholds_sheet(found)) if sheet.rows]
    spaced = [part for sheet in tables for part in ("", sheet)]
    return Finding(found, [*_sentences(found), *spaced, "", *_notes(found), Lines((f"bundle: {found['out']}",))])


def calibration_sheet(found: Json) -> Sheet:
    """Temperature, log loss and calibration error of each file, before and after."""
    columns = [
        Column("File", lambda row: row[0], kind="name"),
        Column("", lambda row: row[2], kind="text"),
        Column("Temperature", lambda row: f"{row[1][_side('temperature', row[2])]:.4g}"),
        Column("Log loss", lambda row: formats.metric_interval("log_loss", row[1][row[2]]["log_loss"])),
        Column("Change", _change),
        Column("ECE", lambda row: formats.metric_interval("ece", row[1][row[2]]["ece"])),
    ]
    caption = (
        "After: log loss and ECE of each half of the clusters with the temperature of the other half; 95% intervals, "
        "ECE in percent."
    )
    return Sheet(caption, columns, [(name, one, side) for name, one in found["artifacts"].items() for side in _SIDES])


def points_sheet(found: Json) -> Sheet:
    """Threshold, precision and recall of each operating point of each file, before and after."""
    costs = [Column("Cost", lambda row: formats.three_digits(_figure(row, "cost")))] if found["costs"] else []
    columns = [
        Column("File", lambda row: row[0], kind="name"),
        Column("Point", lambda row: row[1], kind="name"),
        Column("", lambda row: row[4], kind="text"),
        Column("Threshold", _threshold),
        *(Column(name, _percent(name.lower())) for name in ("Precision", "Recall")),
        Column("F1", _percent("f1"), spare=1),
        *costs,
        Column("Decided otherwise", _decided, spare=2),
    ]
    caption = (
        "Percent. After: each half of the clusters at the threshold of the other half, which may not reach a point; "
        "95% intervals. Of a point that asks for a share, the lower end of its interval on all rows reaches it."
    )
    rows = [
        (name, point, chosen, one, side)
        for name, one in found["artifacts"].items()
        for point, chosen in one["points"].items()
        for side in _SIDES
        if side == "after" or one["before"]["points"].get(point) is not None
    ]
    return Sheet(caption, columns, rows)


def thresholds_sheet(found: Json) -> Sheet:
    """How often the labels of each file are right from their own thresholds on, before and after; of several labels."""
    named = {"Macro F1": "f1_macro", "Micro F1": "f1_micro", "All labels right": "accuracy"}
    columns = [
        Column("File", lambda row: row[0], kind="name"),
        Column("", lambda row: row[2], kind="text"),
        *(Column(name, _at_thresholds(figure)) for name, figure in named.items()),
    ]
    caption = (
        "Each label from its own threshold on, the point class_f1, percent. After: each half of the clusters at the "
        "thresholds of the other half; 95% intervals."
    )
    rows = [
        (name, one, side)
        for name, one in found["artifacts"].items()
        for side in _SIDES
        if one[side].get("at_thresholds") is not None
    ]
    return Sheet(caption, columns, rows)


def _sentences(found: Json) -> Iterator[str]:
    keys = f" of {', '.join(found['keys'])}" if found["keys"] else ", each row its own"
    yield f"{found['rows']} labelled rows in {found['clusters']} clusters{keys}. Labels of answers stay as they were."
    if found["positive_alone"] is not None:
        yield f"The model tells {found['positive_alone']} alone from the rest: calibration is that of this yes or no."
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
        if one["log_loss_change"]["difference"] > 0:
            yield (
                f"{name}: rows that did not choose the temperature have a larger log loss than before: these rows may "
                "be too few or too alike to choose it, and the old bundle the better one."
            )
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


def _side(key: str, side: str) -> str:
    return f"{key}_before" if side == "before" else key


def _change(row: _Row) -> str:
    gap = row[1]["log_loss_change"]
    return formats.signed_interval(gap["difference"], gap, 1, 4) if row[2] == "after" else ""


def _at_thresholds(figure: str) -> Callable[[_Row], str]:
    return lambda row: formats.percent_interval(row[1][row[2]]["at_thresholds"][figure])


def _threshold(row: _Point) -> str:
    return formats.fixed(row[2][_side("threshold", row[4])], 4)


def _decided(row: _Point) -> str:
    return formats.percent(row[2]["decided_otherwise"]) if row[4] == "after" else ""


def _percent(figure: str) -> Callable[[_Point], str]:
    return lambda row: formats.percent_interval(_figure(row, figure))


def _figure(row: _Point, figure: str) -> Any:
    return (row[3][row[4]]["points"].get(row[1]) or {}).get(figure)


def _share(value: float) -> str:
    return f"{formats.percent(value, 1)}%"
