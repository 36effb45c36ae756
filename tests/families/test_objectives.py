"""Objectives of a fit: what is trained is folded into a plain classifier of the task's classes."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification

from distill.core.errors import UserError
from distill.core.label_space import LabelSpace
from distill.core.record_store import read_records, write_records
from distill.families.family import family_of, fit
from distill.models.encoder import load_classifier
from distill.models.head import fold_head, output_layer
from distill.pipeline.entries import student_entry, teacher_entry
from distill.training.joining import Share
from tests.families.lessons import toy_labels, toy_lesson
from tests.training.toy import DOCUMENT, LABELS, toy_encoder, toy_records

SPACE = LabelSpace(LABELS, positive=LABELS[2], ordered=True)
QUICK = {"epochs": 10, "learning_rate": 1e-2, "batch_size": 8, "precision": "fp32", "dropout": 0, "warmup": 1}
NOWHERE = Path("no project")


def taught(records, encoder, folder, preset="msetarget", **training):
    """A teacher's folder and its training history."""
    config = teacher_entry("one", {"preset": preset, "training": {**QUICK, **training}}, "test", NOWHERE)
    fit("encoder", config, toy_lesson(records, DOCUMENT, "document", source=encoder, space=SPACE), folder)
    return folder, json.loads((folder / "training_history.json").read_text(encoding="utf-8"))


def answers(folder, records, split="valid"):
    rows = read_records(records, split)
    return family_of(folder).open(folder).score([row.fields for row in rows]).logits, np.stack(
        [row.target for row in rows]
    )


@pytest.fixture(scope="module")
def exploding(records, tmp_path_factory):
    """The toy records with a test split that no reader survives."""
    folder = tmp_path_factory.mktemp("exploding") / "records"
    shutil.copytree(records, folder)
    for path in folder.glob("test*.parquet"):
        path.write_bytes(b"opened early")
    with pytest.raises(UserError):
        read_records(folder, "test.seen")
    return folder


@pytest.fixture(scope="module")
def graded(exploding, encoder, tmp_path_factory):
    """A regression with borders by F1, fitted where the test rows cannot be read."""
    return taught(exploding, encoder, tmp_path_factory.mktemp("graded"), "msetarget_opt_borders")


def test_a_regression_is_a_plain_classifier_that_decides_by_its_borders(graded, records):
    folder, history = graded
    plain = AutoModelForSequenceClassification.from_pretrained(folder)
    assert plain.classifier.weight.shape == (3, 16) and plain.config.problem_type == "single_label_classification"
    assert list(plain.config.id2label.values()) == list(LABELS)
    told = history["objective"]
    logits, gold = answers(folder, records)
    values = logits[:, 1] - logits[:, 0]  # s·(y − b_1), of classes one apart
    outputs = values / told["scale"] + told["borders"][0]
    decided = (np.array(told["borders"]) < outputs[:, None]).sum(axis=1)
    assert (logits.argmax(1) == decided).all()
    accuracy = (decided == gold.argmax(1)).mean()
    assert accuracy == pytest.approx(told["valid"]["borders"]["accuracy"], abs=1e-5) and accuracy > 0.8
    assert told["name"] == "regression" and told["chosen_by"] == "f1" and told["midpoints"] == [0.5, 1.5]
    before, after = (told["valid"][name]["f1"][LABELS[2]] for name in ("midpoints", "borders"))
    losses = [one["log_loss"] for one in history["history"]]
    assert after >= before and losses[-1] < 0.8 * losses[0] < losses[0] < 1.2


def test_class_values_and_borders_by_accuracy_change_the_fit(graded, records, encoder, tmp_path):
    objective = {"regression": {"class_values": [-1, 0, 4], "borders": "accuracy", "scale": 2.5}}
    folder, history = taught(records, encoder, tmp_path, objective=objective)
    told = history["objective"]
    assert told["midpoints"] == [-0.5, 2.0] and told["values"] == [-1, 0, 4] and told["scale"] == 2.5
    assert told["valid"]["borders"]["accuracy"] >= told["valid"]["midpoints"]["accuracy"]
    logits, gold = answers(folder, records)
    assert (logits.argmax(1) == gold.argmax(1)).mean() == pytest.approx(told["valid"]["borders"]["accuracy"], abs=1e-5)


def test_a_student_learns_the_positive_class_alone_from_soft_labels(records, encoder, tmp_path):
    labels = toy_labels(records, tmp_path / "labels")
    training = {**QUICK, "objective": "one_vs_rest"}
    entry = {"preset": "bag", "alpha": 0, "temperature": 1, "hidden": 24, "training": training}
    config, folder = student_entry("s", entry, "test", NOWHERE), tmp_path / "student"
    lesson = toy_lesson(records, source=encoder, space=SPACE, labels={labels: Share()})
    fit(config.family, config, lesson, folder)
    logits, gold = answers(folder, records, "test.seen")
    chances = torch.tensor(logits).softmax(1).numpy()
    positive = gold.argmax(1) == 2
    assert ((chances[:, 2] > 0.5) == positive).mean() > 0.85
    # The others share what is left as training rows do: a third each of all, so a half each of the rest.
    np.testing.assert_allclose(chances[:, 0], chances[:, 1], rtol=1e-4)
    told = json.loads((folder / "training_history.json").read_text(encoding="utf-8"))["objective"]
    scale, rest = told.pop("scale"), {LABELS[0]: 0.5, LABELS[1]: 0.5}
    assert told == {"name": "one_vs_rest", "positive": LABELS[2], "rest": rest} and scale > 0


def test_a_teacher_learns_the_labels_of_another_and_no_gold(records, encoder, tmp_path):
    """Labels that are sure of one class for every row."""
    labels = toy_labels(records, tmp_path / "labels", planted=[0, 9, 0])
    training = {**QUICK, "epochs": 3, "may_collapse": True}
    entry = {"preset": "distilce", "learns_from": ["one"], "training": training}
    lesson = toy_lesson(records, source=encoder, space=SPACE, labels={labels: Share()}, splits=["train"])
    fit("encoder", teacher_entry("ce", entry, "test", NOWHERE), lesson, tmp_path / "ce")
    logits, _ = answers(tmp_path / "ce", records, "test.seen")
    assert set(logits.argmax(1)) == {1}


def test_a_fit_draws_rare_rows_again_and_weighs_and_smooths_as_its_config_says(records, encoder, tmp_path):
    uneven, rows = tmp_path / "uneven", toy_records("т", 24)
    shutil.copytree(records, uneven)
    few = [row for number, row in enumerate(rows) if number % 3 == 0 or number < 9]  # 8, 3 and 3 of each class
    write_records(uneven / "train.parquet", few)
    tried = {"oversample": 1.0, "class_weights": "balanced", "label_smoothing": 0.2}
    found = {}
    for name, value in tried.items():
        (tmp_path / name).mkdir()
        own = {"epochs": 1, "may_collapse": True, name: value}
        folder, history = taught(uneven, encoder, tmp_path / name, "onetarget", **own)
        found[name] = (history["steps"], (folder / "model.safetensors").read_bytes())
    assert {name: steps for name, (steps, _) in found.items()} == {**dict.fromkeys(tried, 2), "oversample": 3}
    assert len({weights for _, weights in found.values()}) == 3


def test_a_head_without_a_bias_is_refused_before_training(encoder):
    model = load_classifier(encoder, ["value"])
    output_layer(model).bias = None
    with pytest.raises(UserError, match="cannot be folded"):
        output_layer(model)


def test_folding_keeps_the_rest_of_the_head(tmp_path):
    """Of a head of several layers only the last one changes."""
    model = load_classifier(toy_encoder(tmp_path), ["value"])
    inputs = {"input_ids": torch.tensor([[2, 7, 3]])}
    with torch.no_grad():
        before = model(**inputs).logits.numpy()
        fold_head(model, np.array([[0.0], [1.5], [3.0]]), np.array([0.0, -1.0, 2.0]))
        after = model(**inputs).logits.numpy()
    np.testing.assert_allclose(after, before @ np.array([[0.0, 1.5, 3.0]]) + [0, -1, 2], atol=1e-6)
