"""The report's tables in a terminal and in Markdown, from the same columns as the page."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from rich.cells import cell_len
from rich.console import Group
from rich.table import Table
from rich.text import Text

from distill.core.output import as_markdown_code, for_markdown
from distill.report import (
    borders_table,
    breakdown_tables,
    confusion_table,
    fall_through_table,
    formats,
    joined_table,
    labels_tables,
    majority_table,
    out_of_fold,
    quality_tables,
    run_tables,
    seeds_table,
    thresholds_table,
    training,
    twins_table,
    verdict,
)
from distill.report.contents import Report, entries, over_majority_known, tests_of
from distill.report.figure_columns import DELTA
from distill.report.fitting import GAP, Wanted, blocks, folded
from distill.report.table_model import Column, Sheet

_FOLDED = ("name", "text", "prose", "label")
_STYLES = {"passed": "green", "failed": "bold red", "no": "bold red", formats.MISSING: "dim"}


def quality_table(report: Report, width: int | None = None) -> Table:
    """The main table for the terminal. `width`: characters to fit, by leaving out the columns needed least."""
    return rich_table(quality_tables.quality_sheet(report), width)


def markdown_table(report: Report) -> str:
    """The main table in Markdown, under the sentences that say how to read it."""
    return "\n\n".join([*_seeds(report), *_captioned(quality_tables.quality_sheet(report))])


def markdown_results(report: Report, title: str) -> str:
    """A Markdown page: main table, each class, test and slice, comparisons, seeds, latency, environment in one line.

    Where models were compared with the majority answer it begins with the sentences of the report's page.
    """
    per_test = [quality_tables.per_test_sheet(report, test) for test in tests_of(report)]
    by_slice = [breakdown_tables.slices_across_sheet(found) for found in entries(report, "slices")]
    sentences = verdict.sentences(report) if over_majority_known(report) else []
    parts = [f"# {for_markdown(title)}", *([for_markdown(sentence) for sentence in sentences] or _seeds(report))]
    parts += chapter("Quality and speed", [quality_tables.quality_sheet(report)])
    sent_on = [fall_through_table.fall_through_sheet(curve) for curve in fall_through_table.curves_of(report)]
    parts += chapter("Records sent on to the teacher", sent_on)
    parts += chapter("Each class", [breakdown_tables.class_sheet(report), breakdown_tables.chances_sheet(report)])
    parts += chapter("Confused classes", [confusion_table.confusion_sheet(report)])
    parts += chapter("Each test", per_test)
    parts += chapter("Test and validation together", [joined_table.joined_sheet(report)])
    parts += chapter("Each slice", by_slice)
    thresholds = [thresholds_table.at_thresholds_sheet(report), thresholds_table.thresholds_sheet(report)]
    parts += chapter("Thresholds of each label", thresholds)
    parts += chapter("Operating points", [breakdown_tables.points_sheet(report)])
    parts += chapter("Against the majority answer", [majority_table.majority_sheet(report)])
    parts += chapter("Gold-only twins", [twins_table.twin_sheet(report)])
    parts += chapter("Out of fold", [out_of_fold.out_of_fold_sheet(report)])
    parts += chapter("Labels", [labels_tables.choice_sheet(report), labels_tables.asked_twins_sheet(report)])
    parts += chapter("Training", [training.training_sheet(report), borders_table.borders_sheet(report)])
    parts += chapter("Comparisons", [quality_tables.comparison_sheet(report)])
    parts += chapter("Over the seeds", [seeds_table.spread_sheet(report)])
    parts += chapter("Latency", [run_tables.latency_sheet(report)])
    environment = "; ".join(
        f"{for_markdown(name)} {for_markdown(value)}" for name, value in run_tables.environment_items(report)
    )
    return "\n\n".join([*parts, *([f"Environment: {environment}."] if environment else [])]) + "\n"


def rich_table(sheet: Sheet, width: int | None = None) -> Table:
    """A sheet as one rich table. `width`: characters to fit, by leaving out the columns with the highest `spare`."""
    return _rich(sheet, _needed(sheet, width), None)


def rich_tables(sheet: Sheet, width: int) -> Group:
    """A sheet as rich tables that fit into `width`: first the spare columns are left out, then names and texts folded.

    Columns that still have no room stand in a further table, which begins with the first column again.
    """
    columns = _needed(sheet, width)
    wanted = [Wanted(_wanted(column, sheet.rows), column.kind in _FOLDED) for column in columns]
    found = blocks(wanted, width)
    tables = []
    for place, widths in enumerate(found):
        part = replace(sheet, caption=sheet.caption if place == len(found) - 1 else "")
        tables.append(_rich(part, [columns[one] for one in widths], list(widths.values())))
    return Group(*tables)


def _needed(sheet: Sheet, width: int | None) -> list[Column]:
    """The columns without those that are spared."""
    columns = list(sheet.columns)
    while width is not None and any(column.spare for column in columns):
        if sum(_wanted(column, sheet.rows) for column in columns) + GAP * (len(columns) - 1) <= width:
            break
        columns.remove(max(columns, key=lambda column: column.spare))
    return columns


def _wanted(column: Column, rows: Sequence[Any]) -> int:
    """The characters that a column needs on one line."""
    lines = [_broken_heading(column, rows), *(_lines(column, row) for row in rows)]
    return max((cell_len(line) for text in lines for line in text.split("\n")), default=1)


def markdown(sheet: Sheet) -> str:
    """A sheet as a Markdown table, without its caption; only headings where there are no rows."""
    heads = [for_markdown(column.alone or column.name) for column in sheet.columns]
    lines = [heads, ["---:" if column.kind == "number" else "---" for column in sheet.columns]]
    lines += [[_markdown_cell(column, row) for column in sheet.columns] for row in sheet.rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _rich(sheet: Sheet, columns: list[Column], widths: list[int] | None) -> Table:
    """A table. Args: widths: of each column, which longer texts are folded to; None: as wide as they are."""
    best, caption = sheet.best(), Text(sheet.caption) if sheet.caption else None
    table = Table(caption=caption, caption_justify="left", box=None, pad_edge=False, header_style="bold")
    limits: dict[int, int] = dict(zip(map(id, columns), widths or [], strict=widths is not None))

    def text(column: Column, content: str) -> str:
        return folded(content, limits[id(column)]) if limits else content

    for column in columns:
        heading = Text(text(column, _broken_heading(column, sheet.rows)))
        table.add_column(heading, justify="right" if column.kind == "number" else "left", no_wrap=True)
    for _, rows in groupby(sheet.rows, sheet.section or (lambda _: "")):
        for row in rows:
            cells = (
                Text(text(column, _lines(column, row)), style=_style(column, row, best(column, row)))
                for column in columns
            )
            table.add_row(*cells)
        table.add_section()
    return table


def _lines(column: Column, row: Any) -> str:
    """A cell with its interval on a second line, which keeps fourteen columns within a usual terminal."""
    text = column.cell(row)
    return text.replace(" (", "\n(").replace(f" {DELTA}", f"\n{DELTA}") if column.kind in ("number", "check") else text


def _style(column: Column, row: Any, best: bool) -> str:
    text = column.cell(row)
    if best:
        return "bold"
    return _STYLES.get(text.partition(" ")[0] if column.kind == "check" else text, "")


def _broken_heading(column: Column, rows: Sequence[Any]) -> str:
    """The heading broken at spaces, no wider than the column's cells need or its longest word."""
    heading = column.alone or column.name
    words = [*heading.split(), *(line for row in rows for line in _lines(column, row).split("\n"))]
    return "\n".join(textwrap.wrap(heading, max(map(len, words), default=1), break_long_words=False))


def _seeds(report: Report) -> list[str]:
    """Over which seeds the figures are means; of one seed the table's caption says so."""
    return [for_markdown(verdict.seeds_sentence(report))] if len(report.get("seeds") or []) > 1 else []


def chapter(title: str, contents: Sequence[Sheet], level: int = 2) -> list[str]:
    """A heading and captioned tables in Markdown, each a part of its own; nothing without rows."""
    filled = [sheet for sheet in contents if sheet.rows]
    return [f"{'#' * level} {title}", *(part for sheet in filled for part in _captioned(sheet))] if filled else []


def _captioned(sheet: Sheet) -> list[str]:
    return [for_markdown(sheet.caption), markdown(sheet)]


def _markdown_cell(column: Column, row: Any) -> str:
    text = column.cell(row)
    # In code quotes, because `8L@card.onnx` is an e-mail address to many Markdown readers.
    return as_markdown_code(text, cell=True) if column.kind == "name" else for_markdown(text)
