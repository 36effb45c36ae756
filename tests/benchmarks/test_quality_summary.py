"""What came of a set, from made-up reports of both versions."""

import json
import math

import pytest

from benchmarks.quality_summary import majority, plain_rows, ratios, summarise, unmet, won
from benchmarks.quality_table import markdown_overview, markdown_quality, markdown_sets, markdown_short
from tests.benchmarks.quality_reports import (
    OTHER,
    TWIN,
    model,
    new_report,
    old_report,
    write_plain,
    write_run,
    write_steps,
)


@pytest.fixture
def grid(tmp_path):
    """The best on validation is not the best on test."""
    write_plain(tmp_path / "grid", 3e-5, 3, 0.6, 0.60)
    write_plain(tmp_path / "grid", 8e-5, 10, 0.8, 0.775)
    write_plain(tmp_path / "grid", 8e-5, 6, 0.7, 0.80)
    return tmp_path / "grid"


def outcomes(found):
    return {check["name"]: check["outcome"] for check in found["checks"]}


def test_a_report_with_one_twin_takes_its_steps_from_the_model_folders(tmp_path, grid):
    run = write_run(tmp_path, "old", old_report())
    write_steps(run, "teachers/base", 30)
    write_steps(run, "teachers/base@card", 40)
    write_steps(run, "students/3L", 300)
    found = summarise("bbc_news", run, plain_rows(grid))
    (student,) = found["students"]
    assert student["twin"]["name"] == TWIN and student["other_twins"] == []
    assert student["over_twin"]["f1_macro"]["difference"] == pytest.approx(-0.17)
    assert {fit["model"]: fit["ratio"] for fit in found["fits"]} == {
        "base@document": 0.3,
        "base@card": 0.4,
        "3L@card": 3.0,
    }
    assert outcomes(found) == {
        "card teacher − best of the grid (valid)": "missed",
        "card teacher − best of the grid (test)": "missed",
        "3L@card − best twin": "missed",
        "most steps ÷ the grid's best (3L@card)": "missed",
    }
    assert len(unmet([found])) == 4 and won([found]) == "0 of 1"


def test_a_report_with_two_twins_names_the_better(tmp_path, grid):
    found = summarise("bbc_news", write_run(tmp_path, "new", new_report()), plain_rows(grid))
    (student,) = found["students"]
    assert student["twin"]["name"] == OTHER and [twin["name"] for twin in student["other_twins"]] == [TWIN]
    assert student["over_twin"]["f1_macro"] == {"difference": 0.02, "low": 0.01, "high": 0.03}
    assert [(fit["model"], fit["steps"], fit["kept"], fit["ended"], fit["ratio"]) for fit in found["fits"]] == [
        ("base@card", 100, 80, "converged", 1.0),
        ("3L@card", 240, 80, "converged", 2.4),
    ]
    assert found["grid_best"]["valid"]["epochs"] == 10 and found["grid_best"]["test"]["epochs"] == 6
    # 0.78 of the card teacher: above the 0.775 chosen on validation, two points below the best on test.
    assert outcomes(found)["card teacher − best of the grid (valid)"] == "met"
    assert outcomes(found)["card teacher − best of the grid (test)"] == "missed"
    assert won([found, {"students": []}]) == "1 of 1"
    assert ratios([found])["bbc_news"] == {
        "card_teacher_to_grid": round(0.78 / 0.775, 4),
        "steps_to_grid": 2.4,
        "3L@card_to_twin": round(0.75 / 0.73, 4),
    }


def test_a_miss_that_a_gate_names_is_told_from_a_silent_one(tmp_path):
    loud = write_run(tmp_path, "loud", new_report(over=-0.15, passed=False), exit_code=3, end=["error: 1 of 1 gates"])
    silent = write_run(tmp_path, "silent", new_report(over=-0.15, passed=True))
    named, missed = (summarise("bbc_news", run) for run in (loud, silent))
    assert outcomes(named) == {"3L@card − best twin": "named by a gate"}
    assert outcomes(missed) == {"3L@card − best twin": "missed"}
    assert named["failed_gates"] == ["over_gold 3L@card"] and named["exit"] == 3


def test_majority_is_the_largest_training_class_on_all_tests():
    found = majority(old_report()["audit"])
    # 15 of 40 test rows are business, the larger class of train.
    assert found["accuracy"]["value"] == 15 / 40
    assert found["f1_macro"]["value"] == pytest.approx((2 * 15 / (40 + 15)) / 2)
    assert found["log_loss"]["value"] == pytest.approx(-(15 * math.log(0.6) + 25 * math.log(0.4)) / 40)
    assert majority({}) is None


def test_a_run_that_was_stopped_before_any_student_is_a_row_of_its_own(tmp_path, grid):
    report = {**old_report(), "models": [], "comparisons": []}
    end = ["✓ teach base", "error: the teacher does not beat the class priors", "  do: more epochs"]
    found = summarise("bbc_news", write_run(tmp_path, "stopped", report, 3, end), plain_rows(grid))
    assert found["students"] == [] and found["teachers"]["card"] is None and found["checks"] == []
    absent = summarise("clinc150", tmp_path / "runs" / "never")
    assert absent["exit"] is None and absent["majority"] is None
    document = {"title": "T", "sets": [found, absent], "before": []}
    assert "stopped: the teacher does not beat the class priors" in markdown_overview(document)


def test_the_table_shows_before_and_after(tmp_path, grid):
    old = summarise("bbc_news", write_run(tmp_path, "old", old_report()), plain_rows(grid))
    new = summarise("bbc_news", write_run(tmp_path, "new", new_report()), plain_rows(grid))
    document = json.loads(json.dumps({"title": "Defaults", "sets": [new], "before": [old]}))
    overview = markdown_overview(document).splitlines()[-1]
    assert "| 56.00 → 80.00 |" in overview and "| 55.00 → 75.00 |" in overview and "| 77.50 |" in overview
    assert "−17.00 (−17.5…−16.5) → +2.00 (+1.0…+3.0)" in overview and overview.endswith("| passed |")
    page = markdown_quality(document)
    assert page.startswith("# Defaults\n") and f"`{OTHER}`" in page and "| before |" in page and "| after |" in page
    alone = markdown_quality({**document, "before": []})
    assert "→" not in alone.split("## What is asked")[0].split("| ---")[1] and "Version" not in alone


def test_controls_are_in_every_table_and_older_results_have_none(tmp_path):
    report = new_report()
    report["models"] += [
        model("majority", "baseline", 0.4, control=True),
        model("tfidf@card", "baseline", 0.731, control=True),
    ]
    found = summarise("bbc_news", write_run(tmp_path, "new", report))
    assert list(found["controls"]) == ["tfidf@card"]
    document = {"title": "Defaults", "command": "x", "sets": [found], "before": []}
    for table in (markdown_overview, markdown_sets, markdown_short, markdown_quality):
        assert "tfidf@card" in table(document) and "73.10" in table(document), table
    older = {name: value for name, value in found.items() if name != "controls"}
    for table in (markdown_overview, markdown_sets, markdown_short, markdown_quality):
        assert "tfidf@card" not in table({**document, "sets": [older]})
