"""The tables of students for a budget of latency, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.figures import Figure
from benchmarks.study_tables import table
from distill.core.files import Json
from distill.report import formats
from distill.report.budget_table import budget_sentences, candidates_sheet, shown_ms, trained_sheet
from distill.report.tables import markdown

Result = Mapping[str, Any]
_HEAD = ["Budget", "Student", "On other requests, ms", "Quality, validation", "Quality, test", "Presets that fit too"]
BUDGETS: dict[str, Figure] = {
    # Of the student within a bound, in ms at a percentile: its name, its time on other requests, its quality on test.
    "student": lambda result, ms, at: f"`{_named(result, ms, at)['name']}`",
    "ms": lambda result, ms, at: shown_ms(_named(result, ms, at)["held_out"][at]),
    "quality": lambda result, ms, at: _tested(_budget(result, ms, at), _named(result, ms, at)),
}


def chosen(found: Json) -> Json | None:
    """The row of the file that a search names; None where none holds."""
    return next((row for row in found["trained"] if row["name"] == found["best"]), None)


def markdown_budgets(result: Result) -> str:
    """A page with what each search found: its sentences, the trained files and all candidates."""
    machine = result["environment"]
    text = (
        f"Machine: {machine['cpu']}, {machine['cores']} cores, {', '.join(machine['cpu_flags'])}. Presets: the "
        "students that the run has anyhow, each by its fastest file at its view's length, with its quality on test."
    )
    parts = [f"# {result['title']}", text, markdown_budgets_alone(result)]
    for found in result["budgets"]:
        parts += [
            f"## {found['ms']:g} ms at {found['percentile']}",
            "\n".join(f"- {sentence}" for sentence in budget_sentences(found)),
        ]
        parts += [markdown(sheet) for sheet in (trained_sheet(found), candidates_sheet(found))]
    return "\n\n".join(parts) + "\n"


def markdown_budgets_alone(result: Result) -> str:
    """The main table: the student of each bound beside the presets that fit."""
    return table(_HEAD, [_row(found) for found in result["budgets"]])


def _row(found: Json) -> list[str]:
    best, percentile = chosen(found), found["percentile"]
    bound = f"{found['ms']:g} ms at {percentile}"
    metric = found["metric"]
    fitting = [one for one in found["presets"] if one["fits"]]
    presets = [f"`{one['name']}` {formats.metric_interval(metric, one['quality'])}" for one in fitting]
    rivals = ", ".join(presets) or "none"
    if best is None:
        return [bound, *[formats.MISSING] * 4, rivals]
    held, valid = shown_ms(best["held_out"][percentile]), formats.metric_interval(metric, best["valid"][metric])
    return [bound, f"`{best['name']}`", held, valid, _tested(found, best), rivals]


def _tested(found: Json, row: Json) -> str:
    return formats.metric_interval(found["metric"], row["test"][found["metric"]])


def _budget(result: Result, ms: str, percentile: str) -> Json:
    return next(one for one in result["budgets"] if (f"{one['ms']:g}", one["percentile"]) == (ms, percentile))


def _named(result: Result, ms: str, percentile: str) -> Json:
    best = chosen(_budget(result, ms, percentile))
    if best is None:
        raise KeyError(ms)
    return best
