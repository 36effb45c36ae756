"""A run whose labels are a mixture of cross-fitted teachers, from its choice to the student that learns from it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from distill.core.config import load_yaml
from distill.core.errors import UserError
from distill.core.objectives.single_label import SINGLE
from distill.core.predictions import read_predictions
from distill.core.progress import Reporter
from distill.core.record_store import read_records
from distill.core.soft_labels import LabelStore, read_soft_labels
from distill.evaluation.calibrated_predictions import Model
from distill.evaluation.calibration import fit_temperature
from distill.evaluation.metrics import mixture
from distill.pipeline.experiment import Experiment
from distill.pipeline.plan import plan
from distill.pipeline.seeds import execute_run
from distill.pipeline.settings import resolve_settings
from distill.pipeline.steps import evaluate
from distill.pipeline.steps.fit import Sources, lesson_of
from distill.training.joining import Share, join
from tests.pipeline.carried_out import carried_out, rows
from tests.pipeline.seeds_project import write_project

TEACHERS = {"one": {"preset": "words", "cross_fit": 2}, "two": {"preset": "words", "slices": ["старое"]}}
STUDENTS = {"small": {"preset": "words"}}
MEMBERS = (("one", "document"), ("two", "document"), ("small", "card"), ("both", "document"))


@pytest.fixture
def project(tmp_path) -> Path:
    path = write_project(tmp_path)
    values = {**load_yaml(path), "teachers": TEACHERS, "students": STUDENTS, "controls": {"gold_twins": False}}
    path.write_text(json.dumps(values), "utf-8")
    return path


def test_a_student_learns_the_mixture_that_was_chosen(project):
    named = "quality.baseline=mixture@document+card"  # before and after it is fitted
    experiment, done, notes = carried_out(project, "labels=mixture", named, until="evaluate")
    run, choice = project.parent / "run", experiment.choice
    assert choice is not None and choice["taken"] == "mixture"
    names = [name.partition("@")[0] for name in choice["teachers"]]
    assert {f"label {experiment.labelled(label).name}" for label in choice["teachers"]} <= set(done)
    labels = {run / "labels" / experiment.labelled(label).name: share for label, share in experiment.chosen.items()}
    opened = [(LabelStore(place), share) for place, share in labels.items()]
    stores = [read_soft_labels(place) for place in labels]
    parts = [
        {name: row / share.temperature for name, row in zip(store.ids, store.logits, strict=True)}
        for store, share in zip(stores, labels.values(), strict=True)
    ]
    weights = choice["class_weights"] or choice["teachers"]
    ids = [row.id for split in ("train", "pool.urls") for row in read_records(run / "records", split)]
    soft = join(opened, experiment.space.objective, pa.array(ids), run / "labels")
    assert soft.labelled.all()
    expected = mixture([np.stack([part[name] for name in ids]) for part in parts], [weights[n] for n in weights])
    np.testing.assert_allclose(soft.logits, expected, rtol=1e-4, atol=1e-4)
    assert "train small" in done and names
    if len(labels) > 1:
        assert any("teachers joined by id: train 90 of 90, pool.urls 30 of 30" in note for note in notes)
    assert carried_out(project, "labels=mixture", named)[1] == []
    assert "over_baseline" in rows(project)[0]["small@card"]["quality"]
    for asked in ("mixture@document", "mixture"):
        with pytest.raises(UserError, match=f"unknown model(.|\\n)*{asked}(.|\\n)*mixture@document[+]card"):
            carried_out(project, "labels=mixture", f"quality.baseline={asked}")
    require_row_of_the_mixture(project, choice)


def require_row_of_the_mixture(project, choice):
    """By the weights and temperatures that were fitted on validation, on the test rows."""
    found, predicted = rows(project)
    (name,) = (name for name in found if name.startswith("mixture@"))
    parts = [predicted(label).logits / choice["temperatures"][label] for label in choice["teachers"]]
    weights = choice["class_weights"] or choice["teachers"]
    logits = mixture(parts, [weights[label] for label in weights])
    expected = log_loss(found[name], logits, predicted("small@card").target)
    assert found[name]["quality"]["log_loss"]["value"] == pytest.approx(expected, rel=1e-4)


def test_cross_fitted_labels_of_the_card_teacher_and_of_the_mean(project):
    experiment, done, _ = carried_out(project, "labels=mean", "teachers.two.weight=0")
    folds = [
        f"teach one{on}-fold{fold}@{view}" for on, view in (("", "document"), ("@card", "card")) for fold in (1, 2)
    ]
    assert set(folds) | {"deal 2 folds", "label one", "label one@card", "train small"} <= set(done)
    assert [len(read_soft_labels(project.parent / "run" / "labels" / name)) for name in ("one", "one@card")] == [
        120
    ] * 2


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
    at = [validated(project, "one@document"), validated(project, "two@document")]
    assert min(abs(temperature - 1) for temperature in at) > 0.05
    for name, parts, weights in (
        ("ensemble@document", (one.logits / at[0], two.logits / at[1]), (0.8, 0.2)),
        ("both@document", (one.logits, small.logits), (0.25, 0.75)),
    ):
        expected = log_loss(found[name], mixture(parts, weights), one.target)
        assert found[name]["quality"]["log_loss"]["value"] == pytest.approx(expected, rel=1e-4)
        assert found[name]["role"] == "teacher" and found[name]["quality"]["f1_macro"]["low"] is not None
    np.testing.assert_allclose(own.logits, mixture([one.logits, small.logits], (1, 3)), atol=1e-4)
    assert found["ensemble@document"]["mixture"]["temperatures"] is None
    again = carried_out(project, *sets, until="evaluate", teachers=["one:0.2", "two:0.8", "both"])[1]
    assert again == ["evaluate"]
    before = found["ensemble@document"]["quality"]["log_loss"]["value"]
    assert rows(project)[0]["ensemble@document"]["quality"]["log_loss"]["value"] != before


def validated(project, name):
    """The temperature that validation gives to a model."""
    valid = read_predictions(project.parent / "run" / "predictions" / name / "valid.parquet")
    return fit_temperature(valid.logits, valid.target, SINGLE)


def test_models_that_a_student_names_are_mixed_each_after_its_temperature(project):
    sets = ("teachers.one.cross_fit=null", "labels=document", "students.small.learns_from=[one, two]")
    experiment, done, _ = carried_out(project, *sets, "teachers.two.weight=0")
    small = experiment.models["small"]
    assert max(done.index("label two"), done.index("predict two@document")) < done.index("train small")
    asked = lesson_of(experiment, small, Sources.of(experiment, small)).labels
    run = project.parent / "run"
    expected = {run / "labels" / name: Share(0.5, validated(project, f"{name}@document")) for name in ("one", "two")}
    assert asked == expected and {share.temperature for share in asked.values()} != {1.0}
    assert carried_out(project, *sets, "teachers.two.weight=0")[1] == []
    experiment = carried_out(project, *sets, "teachers.two.weight=0", "quality.calibrate=false")[0]
    asked = lesson_of(experiment, small, Sources.of(experiment, small)).labels
    assert set(asked.values()) == {Share(0.5)}


def test_a_mixture_that_each_seed_fits_for_itself_is_no_row_over_seeds(monkeypatch):
    given, fitted = (Model(name, "teacher", "", "document", temperatures=at) for name, at in (("a", ()), ("b", (2.0,))))
    monkeypatch.setattr(evaluate, "report_models", lambda experiment: [given, fitted])
    monkeypatch.setattr(evaluate, "predicted", lambda experiment: ["a", "b"])
    assert evaluate._models({None: None}) == [given, fitted] and evaluate._models({1: None, 2: None}) == [given]


def test_a_mixture_is_no_baseline_over_seeds_nor_where_nothing_may_come_to_one(project):
    named = ["labels=mixture", "quality.baseline=mixture@document"]
    seeds = resolve_settings(project, project.parent / "seeds", sets=[*named, "seeds=[1, 2]"])
    with pytest.raises(UserError, match="the baseline is not there in every seed(.|\n)*mixture@document"):
        execute_run(seeds, Reporter(), "evaluate")
    assert not seeds.run.exists()
    alone = resolve_settings(project, project.parent / "run", sets=named)
    document = resolve_settings(project, alone.run, sets=[*named, "labels=document"])
    for settings in (document, replace(alone, students={})):
        with pytest.raises(UserError, match="unknown model"):
            list(plan(Experiment(settings)))


def test_a_baseline_that_a_seed_lacks_is_refused_before_anything_is_measured(project, monkeypatch):
    settings = resolve_settings(project, project.parent / "run", sets=["quality.baseline=small@card"])
    monkeypatch.setattr(evaluate, "_models", lambda experiments: [Model("one@document", "teacher", "", "document")])
    monkeypatch.setattr("distill.core.record_store.class_shares", lambda records: None)
    step = evaluate.evaluate_seeds_step({seed: Experiment(settings) for seed in (1, 2)})
    with pytest.raises(UserError, match="name one that all seeds have: one@document, majority, random"):
        step.body(project.parent)


def test_an_uncalibrated_ensemble_answers_anew_where_a_member_is_another(project):
    both = "teachers.both={preset: ensemble, members: {one: 1, two: 3}, weight: 0, calibrated: false}"
    sets = ("teachers.one.cross_fit=null", both, "labels=document")
    carried_out(project, *sets, until="evaluate")
    before = rows(project)[1]("both@document")
    carried_out(project, *sets, "teachers.two.slices=null", until="evaluate")
    members = [rows(project)[1](name).logits for name in ("one@document", "two@document")]
    found = rows(project)[1]("both@document").logits
    np.testing.assert_allclose(found, mixture(members, [0.25, 0.75]), atol=1e-5)
    assert not np.allclose(found, before.logits)
