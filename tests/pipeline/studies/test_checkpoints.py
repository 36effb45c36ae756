"""`distill diagnose-selection` over the checkpoints that a fit has kept."""

from __future__ import annotations

from dataclasses import replace
from shutil import copytree, ignore_patterns

import numpy as np
import pytest

from distill.core.predictions import read_predictions
from distill.core.progress import Reporter
from distill.pipeline.execute import execute
from distill.pipeline.settings import resolve_settings
from distill.pipeline.studies.diagnosis import diagnosed
from tests.cli.planted_project import write_project


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    sets = [
        "students={}",
        "controls={tfidf: false}",
        "teachers.base.training={epochs: 4, keep_evaluated: true, may_collapse: true}",
    ]
    settings = replace(resolve_settings(write_project(folder), folder / "run", sets=sets), only="base")
    execute(settings, Reporter(), "evaluate")
    return folder / "run"


def test_kept_checkpoints_are_asked_once_and_ranked(run):
    finding = diagnosed([run], Reporter())
    (one,) = finding.content["checkpoints"]
    assert one["model"] == "base@document" and one["count"] == 4 and finding.content["models"] == []
    by = one["by"]["log_loss"]
    assert by["chosen"].startswith("step-") and -1 <= by["spearman"]["value"] <= 1 and by["lost"]["value"] >= 0
    assert any("Checkpoints of base@document" in part for part in finding.parts)
    answers = sorted((run / "diagnosis").rglob("test.unseen.parquet"))
    times = [path.stat().st_mtime_ns for path in answers]
    assert diagnosed([run], Reporter()).content == finding.content
    assert [path.stat().st_mtime_ns for path in answers] == times and len(times) == 4


def test_a_fit_that_two_runs_share_is_ranked_once(run, tmp_path):
    shared = copytree(run, tmp_path / "shared", ignore=ignore_patterns("diagnosis"))
    alone, both = (diagnosed(runs, Reporter()).content for runs in ([run], [run, shared]))
    assert [one["count"] for one in both["checkpoints"]] == [4] and not (shared / "diagnosis").exists()
    assert both["evaluations"] == alone["evaluations"] > 0


def test_the_kept_checkpoint_of_the_best_step_answers_as_the_model(run):
    best = diagnosed([run], Reporter()).content["checkpoints"][0]["by"]["log_loss"]["chosen"]
    (kept,) = (run / "diagnosis").rglob(f"{best}/test.unseen.parquet")
    own = read_predictions(run / "predictions" / "base@document" / "test.unseen.parquet")
    assert np.allclose(read_predictions(kept).logits, own.logits, atol=1e-5)
