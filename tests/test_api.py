"""The steps as functions, in the order that a program without the command line would call them."""

from __future__ import annotations

from pathlib import Path

from distill.api import Lesson, Share, audit, export, label, predict, prepare, teach, train, train_twin
from distill.core.config import load_yaml, parse
from distill.core.files import read_json
from distill.core.predictions import read_predictions
from distill.core.project import Project
from distill.core.soft_labels import read_soft_labels
from distill.core.view import View
from distill.demo.generate import Sizes
from distill.inference.torch_runner import TorchRunner
from distill.models.fresh import make_encoder
from distill.training.config import TrainingConfig
from export.config import load_target
from students.config import StudentConfig
from teachers.config import TeacherConfig
from tests.demo.easy import generate_easy

WORDS = ["drill hammer lens camera pills", "дрель молоток линза камера таблетки", "reviews page of the shop 750 W"]


FOLDERS = ("records", "teacher", "labels", "student", "twin")


def encoder(folder: Path) -> Path:
    """An 8-layer encoder of random weights."""
    make_encoder(WORDS, folder, layers=8, width=32, heads=2, vocabulary=300, seed=1)
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
    document = View("document", project.views["document"], start / "tokenizer.json")
    teacher = TeacherConfig(preset="base", training=quick)
    teach(teacher, space, document, folders["records"], start, 1, 1, folders["teacher"])
    label(teacher.labelling, folders["teacher"], folders["records"], 1, folders["labels"])
    card = View("card", project.views["card"], start / "tokenizer.json")
    student = StudentConfig(preset="4L", layers=4, keep="spread", training=quick)
    lesson = Lesson(space, card, folders["records"], folders["teacher"], seed=1, threads=1)
    train(student, lesson, {folders["labels"]: Share()}, folders["student"])
    train_twin(student, lesson, folders["student"], folders["twin"])
    view = View.load(folders["student"])
    predict(lambda: TorchRunner(folders["student"]), view, folders["records"], ["valid"], tmp_path / "predictions")
    valid = read_predictions(tmp_path / "predictions" / "valid.parquet")
    rows = [{"product": {"title": "Дрель"}, "page": {"title": title}} for title in ("Drill", "", "Камера")]
    export(load_target("onnx"), folders["student"], rows, tmp_path / "onnx")

    steps = [read_json(folders[name] / "training_history.json")["steps"] for name in ("student", "twin")]
    assert steps[0] == steps[1]
    assert read_json(tmp_path / "audit" / "audit.json")["leak_rows"] == 0
    assert len(read_soft_labels(folders["labels"])) > 80
    assert valid.logits.shape == (len(valid.ids), 3)
    assert (tmp_path / "onnx" / "model.onnx").exists()
