"""The demo's budget: which part a stage belongs to, what is over, and a measurement of a stand-in for the demo."""

import json
import sys

import pytest

from benchmarks import budget
from benchmarks.budget import BUDGET, LIMIT_S, as_markdown, parts_of, require
from distill.core.errors import GateFailed, UserError
from distill.demo.generate import generate
from distill.demo.projects import Sizes
from distill.pipeline.experiment import Experiment
from distill.pipeline.plan import bundles, plan
from distill.pipeline.settings import resolve_settings

FOUND = {"command": "distill", "seconds": 300.0, "limit_seconds": 360.0, "peak_gib": 3.2, "limit_gib": 4.0, "parts": []}
STAND_IN = """
import json, pathlib, sys, time
folder = pathlib.Path(sys.argv[-1]); folder.mkdir(parents=True)
held = bytearray(300_000_000)
held[::4096] = b"1" * len(held[::4096])
time.sleep(1.5)  # long enough to be looked at
stages = [{"name": "audit", "seconds": 2.0}, {"name": "teach base@document", "seconds": 3.0}]
(folder / "run.json").write_text(json.dumps({"stages": stages}))
"""


def test_the_parts_fit_into_the_limit():
    assert sum(part.seconds for part in BUDGET) <= LIMIT_S


def test_every_stage_of_the_demo_belongs_to_a_part(tmp_path):
    generate(tmp_path, sizes=Sizes(train=30, valid=10, test=10, pool=100))
    experiment = Experiment(resolve_settings(tmp_path / "project.yaml", tmp_path / "run"))
    stages = [{"name": stage.step.name, "seconds": 1.0} for stage in (*plan(experiment), *bundles(experiment))]
    parts = parts_of(stages)
    assert sum(part["seconds"] for part in parts) == len(stages)
    assert all(part["seconds"] > 0 for part in parts)


def test_a_stage_without_a_budget_is_told():
    with pytest.raises(UserError, match="juggle"):
        parts_of([{"name": "juggle", "seconds": 1.0}])


@pytest.mark.parametrize("over", [{"seconds": 360.5}, {"peak_gib": 4.1}])
def test_over_a_limit_is_a_failed_gate(over):
    require(FOUND)
    with pytest.raises(GateFailed, match=str(next(iter(over.values())))):
        require({**FOUND, **over})


def test_a_measurement_counts_time_and_memory(tmp_path, monkeypatch, capsys):
    script = tmp_path / "stand_in.py"
    script.write_text(STAND_IN)
    monkeypatch.setattr(budget, "_start", lambda folder: [sys.executable, str(script), str(folder)])
    assert budget.main([str(tmp_path / "run")]) == 0
    found = json.loads((tmp_path / "run" / "budget.json").read_text())
    assert found["seconds"] > 0 and 0.28 <= found["peak_gib"] < 1
    assert [part["seconds"] for part in found["parts"]][:2] == [2.0, 3.0]
    assert "| audit | 10 | 2 |" in capsys.readouterr().out
    assert budget.main([str(tmp_path / "run")]) == 2


def test_a_demo_that_fails_leaves_no_figures(tmp_path, monkeypatch):
    monkeypatch.setattr(budget, "_start", lambda folder: [sys.executable, "-c", "raise SystemExit(3)"])
    assert budget.main([str(tmp_path / "run")]) == 2
    assert not (tmp_path / "run").exists()


def test_the_table_ends_with_the_whole_command():
    text = as_markdown({**FOUND, "parts": [{"name": "audit", "budget": 10, "seconds": 3.2}]})
    assert "| audit | 10 | 3 |" in text and text.endswith("| whole command | 360 | 300 |")
    assert "3.2 GiB" in text
