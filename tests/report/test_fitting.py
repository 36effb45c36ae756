"""Every table of the report in a terminal of 80 columns: folded, never cut."""

from __future__ import annotations

import io
from collections import Counter

import pytest
from rich.console import Console

from distill.report.fitting import Wanted, blocks, folded
from distill.report.lines import comparison_lines
from distill.report.page_tables import PageTables, page_of
from distill.report.runs_table import runs_sheet
from distill.report.section import all_sections
from distill.report.tables import rich_tables
from tests.report.large import large_report
from tests.report.sample import sample_report
from tests.report.test_drawings import FOUND
from tests.report.test_several_runs import run


def every_sheet(report):
    """All tables of the page, and that of several runs."""
    tables = PageTables(most=0)
    with page_of(tables):
        for section in all_sections():
            section.body(report)
    return [*tables.cut.values(), runs_sheet([run(f"a-run-with-a-long-name-{place}", report) for place in range(5)])]


def printed(sheet, width):
    output = io.StringIO()
    Console(file=output, width=width).print(rich_tables(sheet, width))
    return output.getvalue()


@pytest.mark.parametrize("report", [sample_report(), large_report(classes=12, models=3)], ids=["sample", "large"])
def test_no_line_is_wider_and_no_sign_of_a_cell_is_lost(report):
    sheets = every_sheet(report | {"disagreements": [FOUND]})
    assert len(sheets) > 18
    for sheet in sheets:
        text = printed(sheet, 80)
        assert max(map(len, text.splitlines())) <= 80, sheet.caption
        kept = [column for column in sheet.columns if not column.spare]
        cells = Counter("".join(column.cell(row) for column in kept for row in sheet.rows).replace(" ", ""))
        assert cells <= Counter(text), sheet.caption


def test_names_are_folded_where_their_words_are_joined():
    assert folded("8L_trunc-gold@card.onnx-int8", 14) == "8L_trunc-gold@\ncard.onnx-int8"
    assert folded("abcdefgh", 3) == "abc\ndef\ngh"
    assert folded("a b\nc", 10) == "a b\nc"


def test_columns_without_room_go_into_a_further_table_after_the_first():
    name, figure = Wanted(30, True), Wanted(20, False)
    assert blocks([name, figure, figure], 80) == [{0: 30, 1: 20, 2: 20}]
    assert blocks([name, figure, figure], 60) == [{0: 16, 1: 20, 2: 20}]
    assert blocks([name, *[figure] * 4], 60) == [{0: 16, 1: 20, 2: 20}, {0: 16, 3: 20, 4: 20}]
    assert blocks([name], 20) == [{0: 20}] and blocks([], 80) == []


def test_lines_of_two_models_fit_too():
    row = {"metric": "f1_positive", "difference": -0.249847, "low": -0.273456, "high": -0.226543, "p_value": 0.0019}
    row |= {"p_holm": 0.0019, "spread": [-0.26, -0.24]}
    assert comparison_lines([row]) == [
        "f1_positive  -24.985 (-27.346 to -22.654) points, p = 0.002, Holm 0.002",
        "             seeds -26.000 to -24.000",
    ]
