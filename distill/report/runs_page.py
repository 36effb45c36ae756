"""compare.html: several runs on one page, which needs no network and no other file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from distill.core.files import write_text
from distill.core.output import for_html
from distill.report.config_differences import config_differences, differences_sheet
from distill.report.contents import positive_label
from distill.report.markup import element, notes, table
from distill.report.page import document
from distill.report.page_tables import PageTables, page_of
from distill.report.plots import legend, quality_name, scatter
from distill.report.runs_table import ComparedRun, points_of_runs, runs_sentences, runs_sheet
from distill.report.table_model import Sheet

_NOTE = (
    "Up and to the left is better; the thin line joins the models than which none is both faster and better. "
    "Each run measured its own latencies: those of two runs are comparable on one machine, as quiet for both."
)


def runs_page(runs: Sequence[ComparedRun]) -> str:
    """The page as HTML: the models of all runs, quality against latency over all, what their settings differ in."""
    with page_of(PageTables()) as tables:
        sections = "".join(
            _section(tables, name, title, body)
            for name, title, body in (
                ("models", "Models", runs_sheet(runs)),
                ("trade-off", "Quality against latency", _plot(runs)),
                ("settings", "What the settings differ in", settings_sheet(runs)),
            )
        )
    title = f"{len(runs)} runs compared"
    top = element("h1", for_html(title)) + notes(runs_sentences(runs), class_="verdict")
    return document(title, element("header", top) + element("main", sections, id="main"))


def write_runs_page(runs: Sequence[ComparedRun], path: Path) -> None:
    """Write the page. Raises: UserError when it cannot be written."""
    write_text(path, runs_page(runs))


def settings_sheet(runs: Sequence[ComparedRun]) -> Sheet:
    """The settings that not all runs have alike."""
    return differences_sheet(config_differences({run.name: run.config for run in runs}), [run.name for run in runs])


def _section(tables: PageTables, name: str, title: str, body: Sheet | str) -> str:
    tables.section = name
    shown = table(body) if isinstance(body, Sheet) else body
    return element("section", element("h2", for_html(title)) + shown, id=name) if shown else ""


def _plot(runs: Sequence[ComparedRun]) -> str:
    """Every timed model of every run; nothing where runs show different figures."""
    points = points_of_runs(runs)
    if not points or len({positive_label(run.report) for run in runs}) > 1:
        return ""
    axis = quality_name(runs[0].report)
    wide = element("div", scatter(points, axis), class_="wide")
    narrow = element("div", scatter(points, axis, width=370, height=440), class_="narrow")
    return element("figure", legend(points) + wide + narrow + element("figcaption", for_html(_NOTE)))
