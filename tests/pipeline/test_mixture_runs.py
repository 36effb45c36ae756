"""A run whose labels are a mixture of cross-fitted teachers, from its choice to the student that learns from it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from distill.core.config import load_yaml
from distill.core.objectives.single_label import SINGLE
from distill.core.predictions import read_predictions
from distill.core.progress import reporting
from distill.core.record_store import read_records
from distill.core.soft_labels import read_soft_labels
from distill.core.steps import Steps
from distill.evaluation.metrics import mixture
from distill.pipeline.experiment import Experiment
from distill.pipeline.plan import plan, stages_until
from distill.pipeline.settings import resolve_settings
from distill.training.joining import join_by_id
from tests.pipeline.seeds_project import write_project
from tests.training.toy import Watch

TEACHERS = {"one": {"preset": "words", "cross_fit": 2}, "two": {"preset": "words", "slices": ["старое"]}}
STUDENTS = {"small": {"preset": "words"}}
MEMBERS = (("one", "document"), ("two", "document"), ("small", "card"), ("both", "document"))


def carried_out(project, *sets, until="train", teachers=()):
    """The plan up to the students in two parts, as a run does it; the names of the steps that were made."""
    watch, run = Watch(), project.parent / "run"
    with reporting(watch):
        for _ in range(2):  # what comes after the choice depends on it
            steps = Steps(run, {}, {})
            experiment = Experiment(resolve_settings(project, run, sets=sets, teachers=teachers))
            stages = stages_until(list(plan(experiment)), until if experiment.choice else "teach")
            for stage in stages:
                steps.run(stage.step)
    return experiment, [one["name"] for one in steps.stages if one["status"] == "done"], watch.notes


@pytest.fixture
def project(tmp_path) -> Path:
    path = write_project(tmp_path)
    values = {**load_yaml(path), "teachers": TEACHERS, "students": STUDENTS, "controls": {"gold_twins": False}}
    path.write_text(json.dumps(values), "utf-8")
    return path


def test_a_student_learns_the_mixture_that_was_chosen(project):
    experiment, done, notes = carried_out(project, "labels=mixture")
    run, choice = project.parent / "run", experiment.choice
    assert choice is not None and choice["taken"] == "mixture"
    names = [name.partition("@")[0] for name in choice["teachers"]]
    assert {f"label {experiment.labelled(label).name}" for label in choice["teachers"]} <= set(done)
    labels = {run / "labels" / experiment.labelled(label).name: share for label, share in experiment.chosen.items()}
    soft = join_by_id(labels, experiment.space.objective, run / "labels")
    stores = [read_soft_labels(place) for place in labels]
    parts = [
        {name: row / share.temperature for name, row in zip(store.ids, store.logits, strict=True)}
        for store, share in zip(stores, labels.values(), strict=True)
    ]
    weights = choice["class_weights"] or choice["teachers"]
    ids = [row.id for split in ("train", "pool.urls") for row in read_records(run / "records", split)]
    expected = mixture([np.stack([part[name] for name in ids]) for part in parts], [weights[n] for n in weights])
    np.testing.assert_allclose(np.stack([soft[name] for name in ids]), expected, rtol=1e-4, atol=1e-4)
    assert "train small" in done and names
    if len(labels) > 1:
        assert any("teachers joined by id: train 90 of 90, pool.urls 30 of 30" in note for note in notes)
    assert carried_out(project, "labels=mixture")[1] == []


def test_cross_fitted_labels_of_the_card_teacher_and_of_the_mean(project):
    experiment, done, _ = carried_out(project, "labels=mean", "teachers.two.weight=0")
    folds = [
        f"teach one{on}-fold{fold}@{view}" for on, view in (("", "document"), ("@card", "card")) for fold in (1, 2)
    ]
    assert set(folds) | {"deal 2 folds", "label one", "label one@card", "train small"} <= set(done)
    assert [len(read_soft_labels(project.parent / "run" / "labels" / name)) for name in ("one", "one@card")] == [
        120
    ] * 2


def rows(project):
    """The rows of the report by name, and what the test rows' predictions of a model are."""
    run = project.parent / "run"
    found = {one["name"]: one for one in json.loads((run / "evaluation" / "evaluation.json").read_text())["models"]}
    return found, lambda name: read_predictions(run / "predictions" / name / "test.unseen.parquet")


def log_loss(found, logits, target):
    """After the row's own temperature."""
    chances = SINGLE.probabilities(logits / found["temperature"])
    return -np.log((chances * target).sum(1)).mean()


def test_teachers_with_weights_on_the_command_line_are_rows_and_their_mixture_is_another(project):
    both = "teachers.both={preset: ensemble, members: {one: 1, small: 3}, weight: 0, calibrated: false}"
    sets = (both, "labels=document", "teachers.one.cross_fit=null", "students.small.learns_from=[one]")
    teachers = ["one:0.8", "two:0.2", "both"]
    _, done, _ = carried_out(project, *sets, until="evaluate", teachers=teachers)
    assert done.index("train small") < done.index("teach both@document") < done.index("evaluate")
    found, predicted = rows(project)
    one, two, small, own = (predicted(f"{name}@{view}") for name, view in MEMBERS)
    for name, parts, weights in (
        ("ensemble@document", (one, two), (0.8, 0.2)),
        ("both@document", (one, small), (0.25, 0.75)),
    ):
        expected = log_loss(found[name], mixture([part.logits for part in parts], weights), one.target)
        assert found[name]["quality"]["log_loss"]["value"] == pytest.approx(expected, rel=1e-4)
        assert found[name]["role"] == "teacher" and found[name]["quality"]["f1_macro"]["low"] is not None
    np.testing.assert_allclose(own.logits, mixture([one.logits, small.logits], (1, 3)), atol=1e-4)
    again = carried_out(project, *sets, until="evaluate", teachers=["one:0.2", "two:0.8", "both"])[1]
    assert again == ["evaluate"]
    before = found["ensemble@document"]["quality"]["log_loss"]["value"]
    assert rows(project)[0]["ensemble@document"]["quality"]["log_loss"]["value"] != before


def test_the_mixture_that_labels_is_a_row_by_its_fitted_weights_and_temperatures(project):
    sets = ("labels=mixture", "teachers.one.cross_fit=null", "students.small={preset: words}")
    experiment, *_ = carried_out(project, *sets, until="evaluate")
    found, predicted = rows(project)
    (name,) = (name for name in found if name.startswith("mixture@"))
    choice = experiment.choice
    parts = [predicted(label).logits / choice["temperatures"][label] for label in choice["teachers"]]
    weights = choice["class_weights"] or choice["teachers"]
    expected = log_loss(
        found[name], mixture(parts, [weights[label] for label in weights]), predicted("one@card").target
    )
    assert found[name]["quality"]["log_loss"]["value"] == pytest.approx(expected, rel=1e-4)
