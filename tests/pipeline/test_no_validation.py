"""A project without validation rows: whole where nothing is chosen on them, refused by name where something is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from distill.api import run
from distill.core.config import parse_yaml
from distill.core.errors import UserError
from distill.core.files import write_json
from distill.core.steps import Read
from distill.pipeline.experiment import Experiment
from distill.pipeline.plan import plan
from distill.pipeline.settings import resolve_settings
from distill.report.finding import report_parts
from distill.report.page import page
from tests.cli.planted_project import write_project

DOCS = Path(__file__).resolve().parents[2] / "docs" / "measuring.md"
TINY = [
    "task.labels=[мимо, рядом, точно]",
    "views.document.max_tokens=24",
    *("teachers.base.checkpoint=null", "teachers.base.fresh={layers: 2, width: 16, heads: 2, vocabulary: 150}"),
    *("teachers.base.training.batch_size=16", "teachers.base.training.learning_rate=5e-3"),
    "students.8L_trunc.layers=1",
    "students.8L_trunc.training.learning_rate=5e-3",
    *(
        "bench={requests: 4, processes: 1, warmup: 1, minutes: 0}",
        "bench={trained_students: false, int8_teachers: false, openvino: false}",
        "quality.replicates=100",
        "gates.over_gold=null",
    ),
    *("gates.retention_card=null", "threads=1"),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The project of the docs, with planted rows and no validation file."""
    folder = tmp_path_factory.mktemp("without")
    planted = write_project(folder, {"train": 60, "valid": 60, "test": 60, "pool": 20})
    (folder / "valid.jsonl").unlink()
    block = DOCS.read_text(encoding="utf-8").split("## Training without validation")[1].split("```yaml\n")[1]
    values = parse_yaml(planted.read_text(encoding="utf-8"), "planted")
    shown = parse_yaml(block.split("```")[0], "docs")
    data = {**values["data"], **shown.pop("data")}
    data.pop("valid", None)
    kept = {name: values[name] for name in ("task", "views")}
    write_json(folder / "docs.yaml", {**kept, "data": data, **shown})
    return folder / "docs.yaml"


@pytest.fixture(scope="module")
def report(project):
    return run(project, project.parent / "run", until="evaluate", sets=[*TINY, "export=[]"])


def test_the_project_of_the_docs_runs_to_its_figures(project, report):
    assert report["outcome"]["state"] == "finished" and report["task"]["rows"]["train"] == 60
    assert not list((project.parent / "run" / "predictions").glob("*/valid.parquet"))
    assert {model["temperature"] for model in report["models"]} == {1.0}
    assert all(model["valid"]["log_loss"] is None for model in report["models"])
    assert report["choice"]["taken"] == "document" and report["choice"]["candidates"] == []
    assert {gate["name"] for gate in report["gates"]}.isdisjoint({"validation_rows", "teacher_over_priors"})


def test_the_report_says_what_became_of_gates_that_need_them(report):
    text = page(report)
    assert "There were no validation rows" in text
    assert "the gates validation_rows and teacher_over_priors were not asked" in text
    assert report_parts(report)


@pytest.mark.parametrize(
    ("change", "choice"),
    [
        ("teachers.base.training.checkpoint=best", "checkpoint best of base@document (training.checkpoint: last)"),
        ("teachers.base.cross_fit=2", "temperatures of the folds of base@document (cross_fit: null)"),
        ("teachers.base.training={epochs: null, checkpoint: best}", "the end and the weights of base@document"),
        ("labels=auto", "labels: auto (labels: document, or a teacher's name)"),
        ("quality.calibrate=true", "temperatures and thresholds (quality.calibrate: false)"),
        ("export=[onnx, onnx-int8]", "the layers that onnx-int8 leaves in fp32 (export: without onnx-int8)"),
        ("controls.gold_twins=true", "the better gold-only twin of 8L_trunc@card (controls.gold_twins: false)"),
    ],
)
def test_what_would_be_chosen_is_named_before_anything_is_made(project, tmp_path, change, choice):
    with pytest.raises(UserError) as caught:
        run(project, tmp_path / "run", until="teach", sets=[*TINY, change])
    assert caught.value.exit_code == 2 and choice in str(caught.value) and "no validation rows" in str(caught.value)
    assert not (tmp_path / "run" / "records").exists()


@pytest.mark.slow
def test_it_runs_to_its_bundle(project):
    report = run(project, project.parent / "run", sets=TINY)
    assert report["outcome"]["state"] == "finished" and (project.parent / "run" / "bundles" / "8L_trunc").is_dir()


def test_files_are_compared_with_their_model_on_training_rows(project):
    steps = [stage.step for stage in plan(Experiment(resolve_settings(project, project.parent / "plan", sets=TINY)))]
    (step,) = (step for step in steps if step.name == "export 8L_trunc.onnx")
    assert Read("records", ("train.parquet",)) in step.reads
    assert not any("valid.parquet" in read.files for step in steps for read in step.reads if "predict" in read.artifact)


def test_a_sweep_has_nothing_to_choose_by(project):
    settings = resolve_settings(project, project.parent / "sweep", sets=TINY)
    with pytest.raises(UserError, match="sweeps, .* choose on validation rows, and there are none"):
        list(plan(Experiment(replace(settings, closed=True))))


def test_they_cannot_join_the_test(project, tmp_path):
    with pytest.raises(UserError, match="no validation rows to join the test"):
        run(project, tmp_path / "run", sets=[*TINY, "quality.test=[test, valid]"])
