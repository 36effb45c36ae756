"""The tables of the cascade's benchmark, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.figures import Figure
from benchmarks.study_tables import table
from distill.report import formats

Figures = Mapping[str, Any]
_ABOUT = (
    "2,400 texts of four kinds (reviews of films, business news of 1987, presidents' speeches, science news), of "
    "which the cascade knows keywords, and 560 validation rows on which thresholds were chosen for a precision of"
    " 0.95 (the stage embeddings: 0.9). The language model is a server of the benchmark itself that answers from "
    "a fixed table: the kind of a text's source, for 8% of the texts another one, less sure; its threshold is "
    "given. So its figures say that the stage works, not how good a language model is. *Agreement*: the label is "
    "the kind of the text's source, on rows of the pool, with Wilson's 95% intervals."
)
_NO_MODEL = "No classifier of natural language inference was at hand, so the stage `zero_shot` was passed by name."
_SHEET = (
    "`distill sample` drew {rows} labelled rows of the pool, each known to stand for how many; a first judge "
    "filled in the kind of each text's source, a second one made errors in 5% of the rows, and both sheets came "
    "back saved with semicolons."
)


def markdown_cascade(result: Figures) -> str:
    """A page with stages, classes, and what the sheets said."""
    sheet = result["sheet"]
    parts = [
        f"# {result['title']}",
        _ABOUT if result["encoders"]["zero_shot"] else f"{_ABOUT} {_NO_MODEL}",
        f"Encoder of the stage `embeddings`: {result['encoders']['embeddings']}. {_time(result)}.",
        "## Stages",
        markdown_stages(result),
        "## A sheet and back",
        _SHEET.format(rows=sheet["rows"]),
        _sheet_table(sheet),
        "## Classes of the labelled pool",
        _shares_table(sheet),
    ]
    return "\n\n".join(parts) + "\n"


def _time(result: Figures) -> str:
    machine = result["environment"]
    load = f"{machine['cores']} cores, at a load of {machine['load_1min']} in the end"
    return f"{result['seconds']:.0f} seconds in all, with one thread, on {load}"


def markdown_stages(result: Figures) -> str:
    """One row for each stage: threshold, coverage, agreement, cost."""
    agreement = {one["stage"]: one for one in result["agreement"]}
    thresholds = {one["name"]: one for one in result["thresholds"]}
    head = ["Stage", "Threshold", "Rows of the pool", "Coverage", "Agreement", "Seconds", "Requests", "Money"]
    rows = [
        [f"`{one['stage']}`", _threshold(thresholds[one["stage"]]), *_covered(agreement.get(one["stage"])), *_cost(one)]
        for one in result["coverage"]["stages"]
    ]
    costs = [sum(one[name] for one in result["coverage"]["stages"]) for name in ("seconds", "requests", "money")]
    total = dict(zip(("seconds", "requests", "money"), costs, strict=True))
    return table(head, [*rows, ["all", "–", *_covered(agreement["all"]), *_cost(total)]])


def _threshold(stage: Figures) -> str:
    chosen = stage["chosen"]
    if stage["threshold"] is None:
        return stage["problem"] or "–"
    if chosen is None:
        return f"{stage['threshold']:g}, given"
    return f"{stage['threshold']:.3f}, {chosen['right']} of {chosen['taken']} right (≥ {100 * chosen['low']:.1f}%)"


def _covered(one: Figures | None) -> list[str]:
    if one is None:
        return ["0", "0.0%", "–"]
    return [f"{one['rows']:,}", f"{100 * one['rows'] / one['of']:.1f}%", formats.percent_interval(one["agreement"])]


def _cost(one: Figures) -> list[str]:
    return [f"{one['seconds']:.1f}", f"{one['requests']:,}", f"{one['money']:.2f}" if one["money"] else "–"]


def _sheet_table(sheet: Figures) -> str:
    judges = sheet["judges"]
    rows = [["All", str(sheet["rows"]), formats.percent_interval(sheet["accuracy"]), f"{sheet['kappa']:.3f}"]]
    rows += [
        [f"`{one['stage']}`", str(one["rows"]), formats.percent_interval(one["accuracy"]), "–"]
        for one in sheet["stages"]
    ]
    second = sheet["second"]
    rows += [
        ["Second judge", str(judges["rows"]), formats.percent_interval(second["accuracy"]), f"{second['kappa']:.3f}"],
        [
            "Between the judges",
            str(judges["rows"]),
            formats.percent_interval(judges["agreement"]),
            f"{judges['kappa']:.3f}",
        ],
    ]
    return table(["", "Rows", "Right, of the labelled pool", "Kappa"], rows)


def _shares_table(sheet: Figures) -> str:
    rows = [
        [one["label"], f"{100 * one['labels']:.1f}", formats.percent_interval(one["judged"])] for one in sheet["shares"]
    ]
    return table(["Class", "By the labels, %", "As the judge's answers estimate it, %"], rows)


CASCADE: dict[str, Figure] = {
    "coverage": lambda result: f"{100 * _all(result)['rows'] / _all(result)['of']:.0f}%",
    "agreement": lambda result: formats.percent_interval(_all(result)["agreement"], decimals=1),
}


def _all(result: Figures) -> Figures:
    found: Figures = next(one for one in result["agreement"] if one["stage"] == "all")
    return found
