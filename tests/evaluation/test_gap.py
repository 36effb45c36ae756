"""The parts of a student's distance to the document teacher: both are there and add up to the whole."""

from __future__ import annotations

import pytest

from distill.evaluation.calibrated_predictions import References
from distill.evaluation.gap import gaps
from distill.report.contents import Report
from distill.report.gap_table import gap_sheet

NAMED = References("base@document", "base@card")


def apart(a, b, difference, metric="f1_macro"):
    return {"a": a, "b": b, "metric": metric, "difference": difference, "low": difference - 0.01, "high": 0.0}


COMPARED = [
    apart("base@card", "base@document", -0.03),
    apart("8L@card", "base@card", -0.02),
    apart("8L@card", "base@document", -0.05),
    apart("8L@card", "base@card", 0.1, "log_loss"),  # the whole was not compared in it
]


def test_view_and_depth_add_up_to_the_whole():
    (found,) = gaps(COMPARED, ["8L@card"], NAMED)
    assert (found["student"], found["metric"]) == ("8L@card", "f1_macro")
    view, depth, whole = (found[part]["difference"] for part in ("view", "depth", "whole"))
    assert view + depth == pytest.approx(whole) and (view, depth) == (-0.03, -0.02)
    assert (found["view"]["a"], found["view"]["b"]) == ("base@card", "base@document")


@pytest.mark.parametrize("named", [References(None, "base@card"), References("base@document", None)])
def test_without_both_teachers_there_are_no_parts(named):
    assert gaps(COMPARED, ["8L@card"], named) == []


def test_the_table_counts_points():
    report: Report = {"gaps": gaps(COMPARED, ["8L@card"], NAMED)}
    sheet = gap_sheet(report)
    assert [column.cell(sheet.rows[0]) for column in sheet.columns[1:4]] == [
        "−3.00 (−4.0…+0.0)",
        "−2.00 (−3.0…+0.0)",
        "−5.00 (−6.0…+0.0)",
    ]
