"""A verb that ends before the figures tells none of models that it has replaced."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from distill.api import run
from distill.cli.app import app
from distill.core.errors import UserError
from distill.core.progress import Reporter
from distill.core.sealed import read_sealed
from distill.core.steps import Steps
from distill.pipeline.currency import current
from distill.pipeline.experiment import Experiment
from distill.pipeline.plan import plan
from distill.pipeline.seeds import execute_run
from distill.pipeline.settings import resolve_settings

OTHER = ["data.train=[other.jsonl]"]


@pytest.fixture
def project(words, tmp_path):
    """The project of words with other training rows beside its own, and its run; both may be changed."""
    file, folder, _ = words
    shutil.copytree(file.parent, tmp_path / "project")
    shutil.copytree(folder, tmp_path / "run")
    lines = (tmp_path / "project" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    (tmp_path / "project" / "other.jsonl").write_text("\n".join(lines[:60]) + "\n", encoding="utf-8")
    return tmp_path / "project" / file.name


def told(*words):
    done = CliRunner().invoke(app, [str(word) for word in words])
    return done.exit_code, done.output


def test_figures_of_replaced_teachers_are_left_out_until_they_are_measured(project, tmp_path):
    folder = tmp_path / "run"
    before = read_sealed(folder / "report.json")["models"]
    assert run(project, folder, until="teach")["models"] == before, "nothing was made anew"
    assert told("compare", folder, "words@document", "cards@card")[0] == 0
    report = run(project, folder, sets=OTHER, until="teach")
    assert report["models"] == [] and report["comparisons"] == []
    assert "No model has been measured yet" in told("report", folder)[1]
    with pytest.raises(UserError, match="teachers/words has other content by now"):
        CliRunner().invoke(app, ["compare", str(folder), "words@document", "cards@card"], catch_exceptions=False)
    measured = run(project, folder, sets=OTHER, until="evaluate")["models"]
    assert {model["name"] for model in measured} == {model["name"] for model in before} and measured != before
    assert told("compare", folder, "words@document", "cards@card")[0] == 0


def test_a_report_whose_figures_a_killed_run_left_behind_says_so(project, tmp_path):
    folder = tmp_path / "run"
    experiment = Experiment(resolve_settings(project, folder, sets=OTHER))
    Steps(folder, {}, {}).run(next(plan(experiment)).step)
    code, said = told("report", folder)
    assert code == 0 and "The run stopped: records was made anew after these figures" in said


def test_over_several_seeds_too(project, tmp_path):
    folder, asked = tmp_path / "seeds", ["seeds=[1, 2]", "gates.validation_rows=30"]
    assert run(project, folder, sets=asked, until="evaluate")["models"]
    assert run(project, folder, sets=asked, until="audit")["models"], "nothing was made anew"
    report = run(project, folder, sets=[*asked, *OTHER], until="teach")
    assert (report["models"], report["seeds"]) == ([], [])


def test_what_cannot_be_planned_is_not_current(project, tmp_path):
    settings = resolve_settings(project, tmp_path / "run")
    assert "evaluation" in current(Experiment(settings), Steps(settings.run, {}, {})).names
    (project.parent / "train.jsonl").unlink()
    assert current(Experiment(settings), Steps(settings.run, {}, {})).names == set()
    with pytest.raises(UserError):
        execute_run(settings, Reporter(), "evaluate")
    report = read_sealed(Path(settings.run) / "report.json")
    assert report["models"] == [] and report["outcome"]["state"] == "stopped"
