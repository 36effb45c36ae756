"""The studies that chose how models are trained: what their tables take from the files, and refuse."""

import json

import pytest

from benchmarks import averaging_study, training_defaults
from benchmarks.result_kinds import KINDS


def _row(epoch, **losses):
    figures = {kind: [loss, 0.5, 0.6] for kind, loss in losses.items()}
    return {"step": int(10 * epoch), "epoch": epoch, **figures, **{f"{kind}_test": [0.0, 1, 1] for kind in losses}}


CURVE = [_row(0.5, raw=0.9, a3=0.95, a7=0.8, a15=0.9), _row(1.0, raw=0.7, a3=0.9, a7=0.85, a15=0.6)]


def _fit(log_loss, f1):
    return {"steps": 40, "ended": "converged", "valid": {"log_loss": log_loss, "f1_macro": f1}}


def test_the_summary_takes_the_lowest_log_loss_on_validation_of_each_kind():
    found = averaging_study.summary(CURVE)
    assert {kind: (one["epoch"], one["log_loss"]) for kind, one in found.items()} == {
        "raw": (1.0, 0.7),
        "a3": (1.0, 0.9),
        "a7": (0.5, 0.8),
        "a15": (1.0, 0.6),
    }


def test_files_of_averages_become_a_document_and_a_chapter(tmp_path, capsys):
    (tmp_path / "in" / "news").mkdir(parents=True)
    (tmp_path / "in" / "news" / "rate5e-05.json").write_text(json.dumps(CURVE))
    options = ["--table", str(tmp_path / "in"), "--name", "a", "--results", str(tmp_path)]
    assert averaging_study.main(options) == 0
    stored = json.loads((tmp_path / "a.json").read_text())
    assert stored["runs"]["news/rate5e-05"]["curve"] == CURVE and "news/rate5e-05" in capsys.readouterr().out
    chapter = KINDS[stored["kind"]].full(stored)
    assert "| news | rate5e-05 | 0.7000 / 50.0 (1) | 0.9000 / 50.0 (1) | 0.8000 / 50.0 (0.5) |" in chapter


def test_a_folder_without_files_is_named(tmp_path, capsys):
    assert averaging_study.main(["--table", str(tmp_path), "--results", str(tmp_path)]) == 2
    assert "no files SET/RECIPE.json" in capsys.readouterr().err


def test_recipes_are_measured_against_the_best_of_each_set(tmp_path):
    fits = {
        "news/slow": _fit(0.5, 0.8),
        "news/fast": _fit(0.6, 0.85),
        "shop/slow": _fit(0.9, 0.4),
        "shop/fast": {"error": "training collapsed"},
    }
    for name, fit in fits.items():
        path = tmp_path / f"{name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(fit))
    rows = {row["recipe"]: row for row in training_defaults.table(tmp_path)}
    assert rows["slow"]["sets"]["news"]["f1_macro_behind"] == pytest.approx(0.05)
    assert rows["fast"]["sets"]["news"]["log_loss_behind"] == pytest.approx(0.2)
    assert (rows["slow"]["log_loss_behind"], rows["fast"]["failed"]) == (0, 1)
    chapter = KINDS["training_defaults"].full({"title": "t", "rows": list(rows.values())})
    assert "| fast | 0.6000 / 85.0 (40) | failed | 20.0% |" in chapter


def test_a_fit_needs_a_run_with_records(tmp_path, capsys):
    arguments = [str(tmp_path), str(tmp_path), "--out", str(tmp_path / "o.json")]
    assert training_defaults.main(arguments) == 2
    assert "prepare it first" in capsys.readouterr().err and not (tmp_path / "o.json").exists()
