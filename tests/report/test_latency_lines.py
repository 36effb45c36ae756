"""What latency rows say of themselves: disturbed, too wide, taken apart."""

from __future__ import annotations

from distill.report.factors_table import FACTORS, factors_sheet
from distill.report.latency_lines import warnings
from distill.report.layouts_table import layouts_sheet
from distill.report.run_tables import latency_sheet
from distill.report.sections.run import Latency

SETTINGS = {"within": 0.03, "minutes": 5.0}


def row(model, value=20.0, low=19.6, high=20.4, **more):
    return {
        "model": model,
        "batch": 1,
        "p50_ms": 5.0,
        "speedup_vs_teacher": value,
        "speedup_low": low,
        "speedup_high": high,
        **more,
    }


def part(name, before, after, value):
    return {"name": name, "from": before, "to": after, "value": value, "low": 0.9 * value, "high": 1.1 * value}


def test_a_quiet_machine_and_narrow_intervals_have_no_warning():
    rows = [row("t", 1.0, 1.0, 1.0), row("s", disturbed=0.05, disturbed_by=["threads waited"])]
    assert list(warnings(rows, SETTINGS)) == []


def test_a_busy_machine_is_told_with_its_load_and_what_was_seen():
    rows = [
        row("t", 1.0, 1.0, 1.0),
        row("s", 99.1, 97.5, 99.7, disturbed=0.62, disturbed_by=["threads waited"], load=9.1),
    ]
    (told,) = warnings(rows, SETTINGS)
    assert "s (62%); threads waited, load up to 9.1" in told and "many times off" in told


def test_what_was_not_reached_is_told():
    rows = [row("t", 1.0, 1.0, 1.0), row("wide", 20.0, 18.0, 22.0), row("once", 20.0, None, None)]
    wide, once = warnings(rows, SETTINGS)
    assert "not known to ±3% in 5 minutes: wide ±10%" in wide
    assert "no interval: once." in once
    assert list(warnings(rows, {})) == []


def test_the_table_has_the_warnings_and_the_conditions_where_they_were_measured():
    report = {"latency": [row("wide", 20.0, 18.0, 22.0)], "environment": {"bench": SETTINGS}}
    plain = latency_sheet(report)
    assert "wide ±10%" in plain.caption and "Processes" not in [column.name for column in plain.columns]
    told = latency_sheet({**report, "latency": [row("s", processes=3, weights="float32", best_low=2.0, best_high=4.0,
                                                    speedup_vs_best_teacher=3.0)]})  # fmt: skip
    cells = {column.alone or column.name: column.cell(told.rows[0]) for column in told.columns}
    assert (cells["Processes"], cells["Weights"]) == ("3", "float32")
    assert cells["Over fastest teacher"] == "3.00× (2.00–4.00)"


def test_a_speed_up_is_shown_with_its_factors():
    factors = [
        part("view", "base@document", "base@card", 2.5),
        part("depth", "base@card", "3L@card", 2.0),
        part("runtime × precision", "3L@card", "3L@card.onnx-int8", 4.0),
    ]
    one = {"model": "3L@card.onnx-int8", "factors": factors, "value": 20.0, "low": 19.0, "high": 21.0}
    report = {FACTORS: [one], "latency": [row("3L@card.onnx-int8")], "environment": {}}
    sheet = factors_sheet(report)
    assert [column.name for column in sheet.columns] == ["Model", "View", "Depth", "Runtime × precision", "Whole"]
    cells = [column.cell(sheet.rows[0]) for column in sheet.columns]
    assert cells[1] == "2.50× (2.25–2.75)" and cells[-1] == "20.0× (19.0–21.0)"
    assert "view: base@document over base@card" in sheet.caption
    page = Latency().body(report)
    assert "20.0× <small>(19.0–21.0)" in page and "Runtime × precision" in page
    assert factors_sheet({}).rows == []


def test_layouts_are_shown_with_their_ratio_and_only_where_they_were_measured():
    laid = [
        {"sessions": 2, "threads": 1, "batch": 1, "per_s": 1312.0, "ratio": 1.31, "low": 1.27, "high": 1.36},
        {"sessions": 1, "threads": 2, "batch": 1, "per_s": 1001.0, "ratio": 1.0, "low": None, "high": None},
    ]
    report = {"latency": [row("3L@card.onnx-int8", layouts=laid), row("3L@card")], "environment": {}}
    sheet = layouts_sheet(report)
    cells = [[column.cell(line) for column in sheet.columns] for line in sheet.rows]
    assert cells[0] == ["3L@card.onnx-int8", "2", "1", "1", "1312", "1.31× (1.27–1.36)"] and len(cells) == 2
    assert "Threads of each" in Latency().body(report)
    assert "Threads of each" not in Latency().body({"latency": [row("3L@card")], "environment": {}})
