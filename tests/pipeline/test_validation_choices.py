"""Validation rows join the test where nothing was chosen on them, and are refused by name where something was."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from distill.api import run
from distill.core.config import parse_yaml
from distill.core.errors import UserError
from distill.core.files import write_json
from distill.pipeline.experiment import Experiment
from distill.pipeline.plan import plan
from distill.pipeline.settings import resolve_settings
from distill.pipeline.validation_choices import require_unchosen, validation_choices
from distill.report.finding import report_parts
from distill.report.page import page
from tests.pipeline import seeds_project
from tests.pipeline.seeds_project import experiment_of

DOCS = Path(__file__).resolve().parents[2] / "docs" / "measuring.md"
JOINED = ["quality.calibrate=false", "quality.test=[test, valid]"]
FIXED = "{regression: {borders: midpoints, scale: 2}}"
NOTHING = [
    *("teachers.new.training.checkpoint=last", "teachers.old.training.checkpoint=last", "labels=document"),
    *("students.small.training.checkpoint=last", "controls.gold_twins=false", *JOINED),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return seeds_project.write_project(tmp_path_factory.mktemp("seeds"))


def test_every_choice_is_named_with_the_setting_that_ends_it(project):
    sets = ["quality.test=[test, valid]", "teachers.old.training={epochs: null}", "students.small.training.epochs=null"]
    sets += ["teachers.new.training.early_stopping=2", "export=[onnx, onnx-int8]"]
    with pytest.raises(UserError) as caught:
        list(plan(experiment_of(project, *sets)))
    for part in (
        "temperatures and thresholds (quality.calibrate: false)",
        "checkpoint best of new@document (training.checkpoint: last)",
        "checkpoint best of new@card",
        "early stopping of new@document (training.early_stopping: null)",
        "the end and the weights of old@document (training.epochs: a number, training.checkpoint: last)",
        "the end and the weights of small@card",
        "the end and the weights of small-gold@card",
        "labels: auto (labels: document, or a teacher's name)",
        "the layers that onnx-int8 leaves in fp32",
        "the better gold-only twin of small@card (controls.gold_twins: false)",
    ):
        assert part in str(caught.value.found)
    assert caught.value.exit_code == 2 and "quality.test" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "choice"),
    [
        ("labels=mixture", "labels: mixture"),
        ("quality.calibrate=true", "temperatures and thresholds"),
        ("teachers.old.training.checkpoint=best", "checkpoint best of old@document"),
        ("teachers.new.cross_fit=3", "temperatures of the folds of new@document"),
        ("teachers.old.training.objective={regression: {}}", "what regression decides by of old@document"),
        (
            "teachers.old.training.objective=one_vs_rest",
            "what one_vs_rest decides by of old@document (training.objective",
        ),
        ("labels=mean", "the teacher that small@card starts from"),
        ("teachers.both={preset: ensemble, members: {new: 1, old: 1}}", "calibration of both@document (calibrated: f"),
        ("teachers.new={cross_fit: 3, kfold: true}", "calibration of new-kfold@document (kfold: false)"),
        ("teachers.sure={preset: cascade}", "thresholds of the stages of sure@document (each threshold as a number"),
        ("controls.gold_twins=true", "the better gold-only twin"),
        ("teachers.old.training.objective=regression", "what regression decides by of old@document"),
    ],
)
def test_one_choice_is_enough(project, change, choice):
    found = list(validation_choices(experiment_of(project, *NOTHING, "task.ordered=true", change)))
    assert any(one.startswith(choice) for one in found)


def test_a_project_that_chooses_nothing_is_planned(project):
    assert list(validation_choices(experiment_of(project, *NOTHING))) == []
    list(plan(experiment_of(project, *NOTHING)))
    fixed = experiment_of(project, *NOTHING, "task.ordered=true", f"teachers.old.training.objective={FIXED}")
    assert list(validation_choices(fixed)) == []
    require_unchosen(experiment_of(project))


def test_the_project_of_the_docs_chooses_nothing(project):
    block = DOCS.read_text(encoding="utf-8").split("## Validation joined")[1].split("```yaml\n")[1].split("```")[0]
    values = parse_yaml(seeds_project.PROJECT, "project") | parse_yaml(block, "docs")
    write_json(project.parent / "docs.yaml", values)
    shown = experiment_of(project.parent / "docs.yaml")
    assert shown.project.quality.test == ["test", "valid"] and list(validation_choices(shown)) == []


@pytest.fixture(scope="module")
def reports(words, tmp_path_factory):
    """A run of words on test alone, and the same with validation joined."""
    project, made, plain = words
    folder = shutil.copytree(made, tmp_path_factory.mktemp("joined") / "run")
    return plain, run(project, folder, until="evaluate", sets=JOINED)


def test_both_intervals_are_there_and_the_joined_one_is_narrower(reports):
    plain, joined = reports
    for before, model in zip(plain["models"], joined["models"], strict=True):
        both = model["joined"]
        rest = {key: value for key, value in model.items() if key != "joined"}
        assert before == rest, "figures on the test alone stay as they are"
        assert (model["quality"]["rows"], both["rows"]) == (120, 180)
        widths = [block["accuracy"]["high"] - block["accuracy"]["low"] for block in (both, model["quality"])]
        assert widths[0] < widths[1] or model["name"] == "random"
    assert joined["comparisons"] == plain["comparisons"] and joined["gates"] == plain["gates"]
    assert {row["metric"] for row in joined["joined"]["comparisons"]} == {row["metric"] for row in plain["comparisons"]}
    assert joined["keys"] == plain["keys"] and "joined" not in plain
    assert {model["temperature"] for model in joined["models"]} == {1.0}


def test_the_table_has_both(reports):
    plain, joined = reports
    assert "Test and validation together" not in page(plain)
    text = page(joined)
    assert "Test and validation together" in text and "Test: 120 rows, with validation: 180" in text
    assert "Accuracy: all classes." in text, "the main table's accuracy is that of the positive class"
    assert any("Test: 120 rows" in getattr(part, "caption", "") for part in report_parts(joined))


def test_a_sweep_chooses_on_them_though_no_model_of_it_does(project):
    found = resolve_settings(project, project.parent / "run", sets=NOTHING)
    require_unchosen(Experiment(found))
    with pytest.raises(UserError, match=r"sweeps, .*, and these are part of the test[\s\S]*quality.test"):
        require_unchosen(Experiment(replace(found, closed=True)))
