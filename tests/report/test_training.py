"""How fits went: read from model folders, shown in a table and as curves."""

from __future__ import annotations

import pytest

from distill.report.borders_table import borders_sheet
from distill.report.curves import loss_curve
from distill.report.markup import table
from distill.report.page import page
from distill.report.tables import markdown
from distill.report.training import epochs_sheet, training_entries, training_sheet, undertrained
from tests.core.step_fixtures import left
from tests.report.sample import LABELS, sample_report

HISTORY = [
    {"epoch": 1.0, "step": 10, "log_loss": 0.9, "accuracy": 0.5},
    {"epoch": 2.0, "step": 20, "log_loss": 0.6, "accuracy": 0.7},
    {"epoch": 3.0, "step": 30, "log_loss": 0.7, "accuracy": 0.7},
]
WRITTEN = {
    "split": "valid",
    "rows": 90,
    "step": 20,
    "steps": 30,
    "ended": "converged",
    "reason": "converged: no lower log loss in 1 evaluations",
    "slope_per_epoch": -0.1,
    "history": HISTORY,
}


def test_what_training_wrote_becomes_an_entry(tmp_path):
    left(tmp_path / "training_history.json", WRITTEN)
    (entry,) = training_entries({"8L@card": tmp_path})
    assert entry == {
        "model": "8L@card",
        "steps": 30,
        "step": 20,
        "epochs": 3.0,
        "ended": "converged",
        "reason": WRITTEN["reason"],
        "slope_per_epoch": -0.1,
        "log_loss": 0.6,
        "history": HISTORY,
    }


@pytest.mark.parametrize(("step", "log_loss"), [(30, 0.7), (31, None)])
def test_the_log_loss_is_that_of_the_step_kept(tmp_path, step, log_loss):
    """With `checkpoint: last` the weights with the lowest are not used; a step between evaluations has none."""
    left(tmp_path / "training_history.json", {**WRITTEN, "step": step, "steps": step})
    (entry,) = training_entries({"x": tmp_path})
    assert (entry["step"], entry["log_loss"]) == (step, log_loss)


def test_remarks_of_a_fit_are_taken_over(tmp_path):
    left(tmp_path / "training_history.json", {**WRITTEN, "remarks": ["without"]})
    assert training_entries({"x": tmp_path})[0]["remarks"] == ["without"]


@pytest.mark.parametrize("missing", ["step", "steps", "ended", "reason"])
def test_folders_that_say_nothing_of_their_fit_are_left_out(tmp_path, missing):
    old = {key: value for key, value in WRITTEN.items() if key != missing}
    left(tmp_path / "old" / "training_history.json", old)
    (tmp_path / "finished").mkdir()
    assert training_entries({name: tmp_path / name for name in ("old", "finished", "absent")}) == []


def test_a_fit_without_history_has_no_epochs_and_no_log_loss(tmp_path):
    left(tmp_path / "training_history.json", {**WRITTEN, "history": None})
    (entry,) = training_entries({"x": tmp_path})
    assert (entry["epochs"], entry["log_loss"], entry["history"]) == (None, None, [])
    assert loss_curve(entry) == "" and "| `x` | 30 | 20 | – | – |" in markdown(
        training_sheet({"training_history": [entry]})
    )


def test_the_table_says_why_each_fit_ended_and_points_out_the_early_ones():
    sheet = training_sheet(sample_report())
    assert [sheet.marked(row) for row in sheet.rows] == [False, True, False, False]
    assert "| `base@card` | 9\u202f000 | 6\u202f000 | 4.5 | 0.5200 | undertrained: still falling 4.0%" in markdown(
        sheet
    )
    assert table(sheet).count('class="marked"') == 1


@pytest.mark.parametrize(
    ("ended", "slope", "early"),
    [
        ("ceiling", -0.01, True),
        ("ceiling", None, True),
        ("ceiling", 0.0, False),
        ("fixed", -0.2, True),
        ("fixed", None, False),
        ("converged", -0.2, False),
    ],
)
def test_a_fit_ended_too_early_where_it_was_stopped_while_it_fell(ended, slope, early):
    entry = {"model": "x", "ended": ended, "reason": "r", "slope_per_epoch": slope}
    assert undertrained({"training_history": [entry]}, "x") == (["r"] if early else [])


def test_every_evaluation_has_accuracy_and_precision_recall_and_f1_of_each_class():
    report = sample_report()
    labels = report["task"]["labels"]
    each = {
        f"{label}_{name}": 0.25 * (1 + i) for label in labels for i, name in enumerate(("precision", "recall", "f1"))
    }
    fit = {"model": "x", "seed": 2, "step": 20, "history": [{**one, "f1_macro": 0.5, **each} for one in HISTORY]}
    report["training_history"] = [fit]
    sheet = epochs_sheet(report)
    assert [sheet.section(row) for row in sheet.rows] == ["x, seed 2"] * 3
    assert [sheet.marked(row) for row in sheet.rows] == [False, True, False]
    cells = " | ".join(["25.00 | 50.00 | 75.00"] * len(labels))
    assert f"| 2.0 | 0.6000 | 70.00 | 50.00 | {cells} |" in markdown(sheet)
    assert f"P {labels[0]} | R {labels[0]} | F1 {labels[0]}" in markdown(sheet)
    assert "each class after every evaluation" in page(report)
    report["task"]["labels"] = [*labels, *map(str, range(12))]
    fit["history"][0] |= {f"{number}_f1": 0.5 for number in range(12)}
    assert len(epochs_sheet(report).columns) == 4


def test_fits_of_several_seeds_carry_their_seed_and_each_reason_counts_once():
    report = sample_report()
    early = report["training_history"][1]
    report["training_history"] = [{"seed": seed, **early} for seed in (1, 2)]
    assert "| `base@card` | 2 |" in markdown(training_sheet(report))
    assert undertrained(report, "base@card") == [early["reason"]] and undertrained(report, "base@document") == []
    assert "base@card, seed 2: undertrained" in page(report)


def test_a_curve_has_a_point_for_each_evaluation_and_marks_the_one_that_was_kept():
    drawing = loss_curve({"model": "8L@card", "step": 20, "history": HISTORY})
    points = drawing.partition('points="')[2].partition('"')[0].split()
    kept = drawing.partition('<circle class="kept" cx="')[2].split('"')
    assert len(points) == 3 and points[1] == f"{kept[0]},{kept[2]}"
    heights = [float(point.split(",")[1]) for point in points]
    assert max(heights) == heights[1]
    assert loss_curve({"history": HISTORY[:1]}) == ""


def test_evaluations_without_a_figure_are_skipped():
    broken = [*HISTORY, {"epoch": 4.0, "step": 40, "log_loss": float("nan")}, {"step": 50}]
    drawing = loss_curve({"model": "a<b", "step": 50, "history": broken})
    assert drawing.count(",") == 3 and "nan" not in drawing and "kept" not in drawing and "a&lt;b" in drawing


def test_borders_are_shown_with_what_they_gave(tmp_path):
    worth = {"accuracy": 0.5, "f1": {LABELS[0]: 0.4, LABELS[1]: 0.3, LABELS[2]: 0.25}}
    objective = {"name": "regression", "values": [0, 1, 2], "chosen_by": "accuracy", "borders": [0.31, 1.5], "scale": 3}
    objective["valid"] = {"midpoints": worth, "borders": {**worth, "accuracy": 0.625}}
    left(tmp_path / "training_history.json", {**WRITTEN, "objective": objective})
    report = {**sample_report(), "training_history": training_entries({"mse@document": tmp_path})}
    line = "| `mse@document` | 0, 1, 2 | accuracy | 0.31, 1.5 | 3.00 | 50.00 → 62.50 | 40.00 → 40.00 |"
    assert line in markdown(borders_sheet(report)) and "0.31, 1.5" in page(report)
    assert borders_sheet(sample_report()).rows == []
