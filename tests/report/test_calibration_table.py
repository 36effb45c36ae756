"""The table of calibration: one row for each way, and a sentence only where validation prefers the other one."""

from __future__ import annotations

from distill.report.calibration_table import calibration_sentence, calibration_sheet

FIGURES = {name: {"value": 0.05, "low": 0.04, "high": 0.06} for name in ("log_loss", "brier", "ece")}
WAYS = {way: FIGURES for way in ("none", "temperature", "isotonic")}
HELD = {"better": "isotonic", "cross_fitted": {"temperature": 0.52, "isotonic": 0.5}}


def test_a_row_for_each_way_with_intervals():
    sheet = calibration_sheet({"calibration": [{"model": "8L@card", "ways": WAYS, **HELD}]})
    cells = [[column.cell(row) for column in sheet.columns] for row in sheet.rows]
    assert [row[0] for row in cells] == ["None", "Temperature", "Isotonic"]
    assert cells[2][1:] == ["0.0500 (0.040–0.060)", "0.0500 (0.040–0.060)", "5.00 (4.0–6.0)", "0.5000 (lowest)"]
    assert cells[0][4] == "–"


def test_only_a_better_isotonic_way_is_told():
    told = {"calibration": [{"model": "8L@card", **HELD}, {"model": "6L@card", "better": "temperature"}]}
    assert calibration_sentence(told).startswith("8L@card: five folds")
    assert calibration_sentence({"calibration": told["calibration"][1:]}) == calibration_sentence({}) == ""
