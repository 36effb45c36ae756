"""The steps as functions, in the order that a program without the command line would call them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from distill import api
from distill.api import (
    Evidence,
    Lesson,
    Sample,
    Share,
    audit,
    export,
    label,
    predict,
    prepare,
    run,
    teach,
    train,
    train_twin,
)
from distill.core.config import load_yaml, parse
from distill.core.errors import UserError
from distill.core.files import read_json
from distill.core.predictions import read_predictions
from distill.core.progress import Reporter
from distill.core.project import Project
from distill.core.sealed import read_sealed
from distill.core.soft_labels import read_soft_labels
from distill.demo.generate import Sizes
from distill.families.family import family_of
from distill.models.fresh import Shape, make_encoder
from distill.training.config import TrainingConfig
from export.config import load_target
from students.config import StudentConfig
from teachers.config import TeacherConfig
from tests.demo.easy import generate_easy

WORDS = ["drill hammer lens camera pills", "дрель молоток линза камера таблетки", "reviews page of the shop 750 W"]


FOLDERS = ("records", "teacher", "labels", "student", "twin")


class Noting(Reporter):
    """Notes the steps that were made."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def step_ends(self, name: str, status: str, seconds: float) -> None:
        self.made.append(name)


def encoder(folder: Path) -> Path:
    """An 8-layer encoder of random weights."""
    make_encoder(WORDS, folder, Shape(layers=8, width=32, heads=2, vocabulary=300), 1)
    return folder


def test_from_records_to_onnx(tmp_path):
    generate_easy(tmp_path / "data", sizes=Sizes(train=80, valid=40, test=40, pool=60))
    project = parse(Project, load_yaml(tmp_path / "data" / "project.yaml"), "project.yaml")
    space, folders = project.task.space, {name: tmp_path / name for name in FOLDERS}
    for folder in [*folders.values(), tmp_path / "predictions", tmp_path / "onnx"]:
        folder.mkdir()
    start = encoder(tmp_path / "encoder")
    quick = TrainingConfig(epochs=12, learning_rate=2e-3, precision="fp32")

    prepare(project, folders["records"], base=tmp_path / "data")
    audit(project, folders["records"], tmp_path / "audit")
    document = Lesson("teaching", space, "document", project.views["document"], folders["records"], source=start)
    teacher = TeacherConfig(preset="base", training=quick)
    teach(teacher, document, folders["teacher"])
    label(teacher.labelling, folders["teacher"], folders["records"], 1, folders["labels"])
    student = StudentConfig(preset="4L", layers=4, keep="spread", training=quick.model_dump())
    labels = {folders["labels"]: Share()}
    card = Lesson("distilling", space, "card", project.views["card"], folders["records"], folders["teacher"], labels)
    train(student, card, folders["student"])
    steps = read_json(folders["student"] / "training_history.json")["steps"]
    train_twin(student, replace(card, steps=steps), folders["twin"])
    scorer = family_of(folders["student"]).open(folders["student"])
    predict(lambda: scorer, folders["records"], ["valid"], tmp_path / "predictions")
    valid = read_predictions(tmp_path / "predictions" / "valid.parquet")
    rows = [{"product": {"title": "Дрель"}, "page": {"title": title}} for title in ("Drill", "", "Камера")]
    export(load_target("onnx"), folders["student"], Evidence(Sample(rows)), tmp_path / "onnx")

    assert read_json(folders["twin"] / "training_history.json")["steps"] == steps
    assert read_json(tmp_path / "audit" / "audit.json")["leak_rows"] == 0
    assert len(read_soft_labels(folders["labels"])) > 80
    assert valid.logits.shape == (len(valid.ids), 3)
    assert (tmp_path / "onnx" / "model.onnx").exists()


def test_a_run_up_to_a_verb_as_the_command_line_makes_it(planted, tmp_path):
    told = Noting()
    report = run(planted, tmp_path / "run", until="label", sets=["controls.card_teacher=false"], reporter=told)
    assert report == read_sealed(tmp_path / "run" / "report.json") and report["choice"]["taken"] == "document"
    made = {path.name for path in (tmp_path / "run").iterdir() if path.is_dir()}
    assert {"records", "teachers", "labels"} <= made and not {"students", "export", "bundles"} & made
    assert len(read_soft_labels(tmp_path / "run" / "labels" / "base")) == 90 + 40
    steps = [stage["name"] for stage in report["stages"]]
    assert told.made == steps and steps[-1] == "label base"
    run(planted, tmp_path / "run", until="label", sets=["controls.card_teacher=false"])
    assert {stage["status"] for stage in read_json(tmp_path / "run" / "report.json")["stages"]} == {"skipped"}


def test_a_run_says_what_is_wrong_with_its_project(planted, tmp_path):
    with pytest.raises(UserError, match="did you mean 'alpha'"):
        run(planted, tmp_path / "run", sets=["students.small.alhpa=1"])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("seeds", ["null", "[1, 2]"])
def test_a_run_up_to_a_verb_that_is_none_makes_nothing_and_names_those_that_are(planted, tmp_path, seeds):
    with pytest.raises(
        UserError, match=r"(?s)unknown verb.*until.*bundel.*did you mean 'bundle'.*audit.*report.*train"
    ):
        run(planted, tmp_path / "run", until="bundel", sets=[f"seeds={seeds}"])
    assert not (tmp_path / "run").exists()


def test_the_steps_that_the_readme_names_are_there():
    readme = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
    named = re.search(r"from distill\.api import run  # the steps too: ([a-z, ]+);", readme)[1].split(", ")
    assert len(named) > 3 and set(named) <= set(api.__all__)
