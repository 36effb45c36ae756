"""A run whose labels are a mixture of cross-fitted teachers, from its choice to the student that learns from it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from distill.core.config import load_yaml
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


def carried_out(project, *sets):
    """The plan up to the students in two parts, as a run does it; the names of the steps that were made."""
    watch, run = Watch(), project.parent / "run"
    with reporting(watch):
        for _ in range(2):  # what comes after the choice depends on it
            steps = Steps(run, {}, {})
            experiment = Experiment(resolve_settings(project, run, sets=sets))
            stages = stages_until(list(plan(experiment)), "train" if experiment.choice else "teach")
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
