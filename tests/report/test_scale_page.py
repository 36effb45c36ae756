"""The sentences, the table and the page of `distill scale`."""

from __future__ import annotations

import re
from typing import Any

from distill.core.sealed import write_sealed
from distill.report.decision_record import decision_record
from distill.report.scale_page import scale_curve, write_scale_page
from distill.report.scale_table import scale_sentences, scale_sheet
from distill.report.scaling import with_scaling
from distill.report.sections.learning import Scaling
from distill.report.tables import markdown


def figure(value: float) -> dict[str, Any]:
    return {
        "f1_macro": {"value": value, "low": value - 0.01, "high": value + 0.01},
        "log_loss": {"value": 1 - value, "low": 0.9 - value, "high": 1.1 - value},
    }


def apart(gap: float) -> dict[str, Any]:
    return {"f1_macro": {"difference": gap, "low": gap - 0.005, "high": gap + 0.005, "p_value": 0.5}}


def found(**over: Any) -> dict[str, Any]:
    """Three points: 1×, 4× and all of a pool of 9.73×."""
    sizes = [("1x", 1.0, 100, False), ("4x", 4.0, 400, False), ("all", 9.73, 973, True)]
    points = [
        {
            "name": name,
            "factor": factor,
            "rows": rows,
            "whole": whole,
            "hours": 0.5 * number + 0.25,
            "cost": number + 1.0,
        }
        | {"valid": figure(0.7 + 0.03 * number), "test": figure(0.6 + 0.03 * number)}
        | {"over_previous": {"valid": apart(0.001), "test": apart(-0.002)} if number else None}
        for number, (name, factor, rows, whole) in enumerate(sizes)
    ]
    result = {
        "metric": "f1_macro",
        "positive": None,
        "gold": 100,
        "pool": 973,
        "asked": [1, 4, 16],
        "seeds": [1, 2],
        "price_per_hour": 2.0,
        "shared_hours": 1.25,
        "students": [{"student": "8L@card", "flattens": 2, "points": points}],
    }
    return result | over


def test_it_says_where_a_student_flattens_and_by_how_much():
    flat, beyond, test = scale_sentences(found())
    assert flat == (
        "8L@card flattens at 9.73×, all: Macro F1 over 4× is +0.1 (−0.4 to 0.6) on validation, which decides, "
        "and −0.2 (−0.7 to 0.3) on test."
    )
    assert (
        beyond
        == "The pool has 973 rows to learn, 9.73× the gold rows: 16× is beyond it, and all of it is the last point."
    )
    assert test == "Test rows were read once, after the last fit; no point was chosen by them."
    rising = found(asked=[1, 4])
    rising["students"][0] |= {"flattens": None, "points": rising["students"][0]["points"][:2]}
    assert scale_sentences(rising)[0].startswith("8L@card has not flattened at 4×, the largest point: Macro F1 over 1×")
    assert len(scale_sentences(rising)) == 2
    rising["students"][0]["points"] = rising["students"][0]["points"][:1]
    assert scale_sentences(rising)[0] == "8L@card: one point, 1×; there is nothing to compare it with."


def test_the_table_has_hours_and_with_a_price_the_cost():
    text = markdown(scale_sheet(found()))
    assert "| `9.73×, all` | 973 | 66.00 (65.0–67.0) | −0.20 (−0.7…+0.3) |" in text
    assert text.splitlines()[-1].endswith("| 1.25 | 3.00 |")
    assert "Cost" not in markdown(scale_sheet(found(price_per_hour=None)))
    assert (
        "means over the seeds 1, 2" in scale_sheet(found()).caption
        and "one seed, 1" in scale_sheet(found(seeds=[1])).caption
    )


def test_the_page_is_whole_and_needs_nothing_else(tmp_path):
    data = found()
    data["students"][0]["student"] = "<8L>@card"
    write_scale_page(data, tmp_path / "scale.html")
    page = (tmp_path / "scale.html").read_text(encoding="utf-8")
    assert "&lt;8L&gt;@card" in page and "<8L>" not in page and page.count("<script") == 1
    assert not re.findall(r'(?:src|href)="(?!#)', page) and page.count("<svg") == 1
    assert page.count('<circle class="kept"') == 6 and page.count("<polyline") == 2


def test_points_stand_in_rising_order_on_a_logarithmic_axis():
    points = found()["students"][0]["points"]
    drawn = scale_curve(points, "f1_macro", "8L@card")
    path = re.search(r'class="curve test" points="([^"]+)"', drawn)
    assert path is not None
    x = [float(pair.split(",")[0]) for pair in path[1].split()]
    y = [float(pair.split(",")[1]) for pair in path[1].split()]
    assert x == sorted(x) and y == sorted(y, reverse=True)
    assert abs((x[2] - x[1]) / (x[1] - x[0]) - 0.641) < 0.01  # ln(9.73 / 4) to ln 4
    assert scale_curve([], "f1_macro", "8L@card") == ""


def test_it_is_on_the_page_of_the_run_until_the_rows_change(tmp_path):
    report = {"task": {"rows": {"train": 100, "test.x": 20, "pool.a": 973}}}
    assert with_scaling(report, tmp_path) == report and Scaling().body(report) == ""
    write_sealed(tmp_path / "scale.json", found(tests=["test.x"]))
    shown = with_scaling(report, tmp_path)
    body = Scaling().body(shown)
    assert "8L@card flattens at 9.73×, all" in body and body.count("<svg") == 1 and "66.00 (65.0–67.0)" in body
    assert "### More rows of the pool" in decision_record(shown, "run")
    for other in ({"train": 99, "test.x": 20}, {"train": 100, "test.y": 20}, {}):
        changed = {"task": {"rows": other}}
        assert with_scaling(changed, tmp_path) == changed
    (tmp_path / "scale.json").write_text((tmp_path / "scale.json").read_text().replace("973", "974"))
    assert with_scaling(report, tmp_path) == report
