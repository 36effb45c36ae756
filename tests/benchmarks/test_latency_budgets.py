"""The benchmark of budgets, with a stand-in for distill that writes what a search would have found."""

import json
import sys

import pytest

from benchmarks import latency_budgets
from benchmarks.figures import fill
from benchmarks.result_kinds import kind_of
from distill.core.files import read_json
from distill.core.sealed import write_sealed
from tests.benchmarks.raw_sets import write_news

FIGURE = {"value": 0.8, "low": 0.78, "high": 0.82}
TIMED = {"value": 0.9, "low": 0.85, "high": 0.95}
STAND_IN = """
import json, pathlib, sys
from distill.core.sealed import write_sealed
bound = sys.argv[sys.argv.index("--latency-budget") + 1]
run = pathlib.Path(sys.argv[sys.argv.index("--out") + 1])
(run / f"call-{bound}.json").write_text(json.dumps(sys.argv[1:]))
found = json.loads((run / f"found-{bound}.json").read_text())
if found is None:
    print("error: no candidate stays within it")
    sys.exit(2)
write_sealed(run / "budget.json", found)
"""


def found(ms, best, preset_fits):
    """What a search found: one trained file, and of the run's preset a slow and a fast candidate."""
    name = "2L-16@card-16.onnx"
    row = {"name": name, "candidate": "2L-16.onnx, 1 thread", "held_out": {"p99": TIMED}, "holds": best, "over": {}}
    row |= {"front": True, "valid": {"f1_macro": FIGURE}, "test": {"f1_macro": {**FIGURE, "value": 0.75}}}
    candidate = {"layers": 2, "line": "source", "student": "2L-16", "target": "onnx", "threads": 1}
    timed = {**candidate, "p50": TIMED, "p99": TIMED}
    candidates = [
        {**timed, "name": "2L-16.onnx, 1 thread", "tokens": 16, "fits": True, "why": "trained"},
        {**timed, "name": "3L-32.onnx, 1 thread", "layers": 3, "tokens": 32, "fits": preset_fits, "why": "w"},
        {**candidate, "name": "3L-32.onnx-int8, 1 thread", "layers": 3, "tokens": 32, "why": "over"},
    ]
    asked = {"metric": "f1_macro", "positive": None, "ms": ms, "percentile": "p99", "processes": 3, "most_trained": 1}
    return {**asked, "best": name if best else None, "trained": [row], "candidates": candidates}


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """A finished run with a student of three layers, and a repository's root; returns the command."""
    write_news(tmp_path / "data")
    run = tmp_path / "work" / "bbc_news" / "runs" / "quality"
    run.mkdir(parents=True)
    student = {"name": "3L@card", "role": "student", "layers": 3, "quality": {"f1_macro": {**FIGURE, "value": 0.6}}}
    file = {**student, "name": "3L@card.onnx", "role": "artifact", "quality": {"f1_macro": {**FIGURE, "value": 0.59}}}
    write_sealed(run / "report.json", {"models": [student, file, {"name": "base@card", "role": "teacher"}]})
    searches = {"1": found(1.0, True, False), "2": found(2.0, True, True), "5": found(5.0, False, True), "9": None}
    for bound, one in searches.items():
        (run / f"found-{bound}.json").write_text(json.dumps(one))
    stand_in = tmp_path / "stand_in.py"
    stand_in.write_text(STAND_IN, encoding="utf-8")
    command = latency_budgets._command

    def called(*given):
        return [sys.executable, str(stand_in), *command(*given)[command(*given).index("bench") :]]

    monkeypatch.setattr(latency_budgets, "_command", called)
    for part in ("docs", "benchmarks/results"):
        (tmp_path / "root" / part).mkdir(parents=True)
    (tmp_path / "root" / "README.md").touch()
    places = {"data": "data", "encoder": "encoder", "work": "work", "root": "root"}
    options = [part for flag, name in places.items() for part in (f"--{flag}", str(tmp_path / name))]
    return lambda *more: latency_budgets.main(["bbc_news", *options, "--student", "3L", *more])


def test_every_bound_is_searched_in_the_run_and_stored_with_the_presets_that_fit(bench, tmp_path, capsys):
    assert bench("--ms", "1", "2", "5", "--threads", "1", "2", "--store", "budgets") == 0
    ratios = json.loads(capsys.readouterr().out.splitlines()[-1])["ratios"]
    assert ratios["1 ms at p99"] == {"share": 0.9, "over_preset": None} and ratios["5 ms at p99"]["share"] is None
    assert ratios["2 ms at p99"] == {"share": 0.45, "over_preset": pytest.approx(0.75 / 0.59)}
    run = tmp_path / "work" / "bbc_news" / "runs" / "quality"
    call = read_json(run / "call-2.json")
    assert call[call.index("--percentile") + 1] == "p99" and call[call.index("--student") + 1] == "3L"
    assert {"budget.train=3", "budget.threads=[1, 2]"} <= set(call)
    result = read_json(tmp_path / "root" / "benchmarks" / "results" / "budgets.json")
    assert [one["presets"][0]["fits"] for one in result["budgets"]] == [False, True, True]
    assert "/" not in result["command"]
    page = (tmp_path / "root" / "docs" / "results" / "budgets.md").read_text()
    assert "| 2 ms at p99 | `2L-16@card-16.onnx` | 0.90 (0.85–0.95) | 80.00 (78.0–82.0) |" in page
    assert "`3L@card.onnx` 59.00" in page and "| 5 ms at p99 | – | – | – | – |" in page and "## 1 ms at p99" in page
    words = fill("{student: 2, p99} {ms: 2, p99} {quality: 2, p99}", result, kind_of(result).figures, "here")
    assert words.startswith("`2L-16@card-16.onnx` 0.90 (0.85–0.95) 75.00")


def test_a_bound_is_added_to_those_of_the_stored_result(bench, tmp_path):
    assert bench("--ms", "5", "1", "--store", "budgets") == 0
    assert bench("--ms", "2", "--store", "budgets", "--add") == 0
    result = read_json(tmp_path / "root" / "benchmarks" / "results" / "budgets.json")
    assert [one["ms"] for one in result["budgets"]] == [1, 2, 5] and len(result["ratios"]) == 3
    assert result["command"].endswith("--ms 1 2 5 --percentile p99 --train 1")
    assert bench("--ms", "2", "--store", "others", "--add") == bench("--ms", "2", "--add") == 2


def test_a_search_that_ends_with_an_error_and_a_run_that_is_not_there_are_named(bench, capsys):
    assert bench("--ms", "9") == 2
    assert "no candidate stays within it" in capsys.readouterr().err
    assert bench("--ms", "1", "--work", "elsewhere") == 2
    assert "benchmarks.quality bbc_news" in capsys.readouterr().err
