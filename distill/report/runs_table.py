"""The models of several runs beside each other: figure and latency in each, and the paired difference to the first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from distill.core.files import Json
from distill.evaluation.direction import unit
from distill.report import formats, verdict
from distill.report.contents import Report, entries, metric_figure, positive_label
from distill.report.names import metric_name
from distill.report.plots import Point, measured_points
from distill.report.table_model import Column, ModelRow, Sheet, model_rows, role_heading


@dataclass(frozen=True)
class ComparedRun:
    """One of several runs.

    Attributes: name: as the page calls it. compared: what `compare_runs` found, the first run being the older one; None
        for the first. refused: why it could not be compared with the first.
    """

    name: str
    folder: Path
    report: Report
    config: Json
    compared: Json | None = None
    refused: str = ""

    @property
    def rows(self) -> dict[str, ModelRow]:
        """Its measured models by name."""
        return {row.name: row for row in model_rows(self.report) if row.quality}

    def apart(self, model: str, metric: str) -> Json:
        """The paired difference of a model to the same one in the first run; empty where there is none."""
        wanted = {"old_model": model, "new_model": model, "metric": metric}
        rows = entries(self.compared or {}, "comparisons")
        return next((row for row in rows if wanted.items() <= row.items()), {})


@dataclass(frozen=True)
class _Line:
    model: str
    heading: str
    rows: Mapping[str, ModelRow] = field(default_factory=dict)


def runs_sheet(runs: Sequence[ComparedRun]) -> Sheet:
    """A row for each model that any run has, three columns for each run."""
    metric = metric_of(runs)
    columns = [Column("Model", lambda line: line.model, kind="name")]
    columns += [column for run in runs for column in _columns(run, metric, first=run is runs[0])]
    name = metric_name(metric, positive_label(runs[0].report))
    caption = (
        f"{name[0].upper()}{name[1:]} on all test rows of each run with 95% intervals; p50 at batch 1, ms. "
        f"Differences to {runs[0].name} are paired, on the test rows that both runs share."
    )
    return Sheet(caption, columns, list(_lines(runs)), section=lambda line: line.heading)


def runs_sentences(runs: Sequence[ComparedRun]) -> list[str]:
    """The first sentence of each run, and what could not be compared."""
    found = [f"{run.name}: {verdict.headline(run.report)}" for run in runs]
    return found + [f"{run.name} is not compared with {runs[0].name}: {run.refused}." for run in runs if run.refused]


def points_of_runs(runs: Sequence[ComparedRun]) -> list[Point]:
    """The measured models of all runs, each with the name of its run."""
    return [
        Point(f"{run.name}: {point.name}", point.role, point.p50_ms, point.quality, point.interval, point.tail_ms)
        for run in runs
        for point in measured_points(_by(run, metric_of(runs)))
    ]


def metric_of(runs: Sequence[ComparedRun]) -> str:
    """What the first run compares models by."""
    return str(runs[0].report.get("metric") or "f1_macro")


def _by(run: ComparedRun, metric: str) -> Report:
    """The report of a run as if its models were compared by this metric."""
    return {**run.report, "metric": metric}


def _lines(runs: Sequence[ComparedRun]) -> Iterator[_Line]:
    """Every model once, in the order of roles, then of the runs."""
    held = [run.rows for run in runs]
    headings = {name: role_heading(row) for rows in held for name, row in rows.items()}
    for heading in dict.fromkeys(headings.values()):
        for name in (name for name, own in headings.items() if own == heading):
            found = {run.name: rows[name] for run, rows in zip(runs, held, strict=True) if name in rows}
            yield _Line(name, heading, found)


def _columns(run: ComparedRun, metric: str, first: bool) -> Iterator[Column]:
    def figure(line: _Line) -> str:
        row = line.rows.get(run.name)
        if row is None:
            return formats.MISSING
        return formats.metric_interval(metric, metric_figure(_by(run, metric), row.quality))

    def latency(line: _Line) -> str:
        row = line.rows.get(run.name)
        return formats.MISSING if row is None else formats.three_digits(row.latency.p50_ms)

    yield Column("Figure", figure, run.name, f"{run.name}: figure")
    if not first:
        yield Column("Difference", _apart(run, metric), run.name, f"{run.name}: difference")
    yield Column("p50", latency, run.name, f"{run.name}: p50", spare=1)


def _apart(run: ComparedRun, metric: str) -> Callable[[_Line], str]:
    scale, decimals, _ = unit(metric)

    def cell(line: _Line) -> str:
        found = run.apart(line.model, metric)
        return formats.signed_interval(found.get("difference"), found, scale, decimals + 1)

    return cell
