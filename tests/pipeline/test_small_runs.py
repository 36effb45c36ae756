"""Small families as teachers from gold alone and as students, named by their presets, in one table."""

from __future__ import annotations

import json

import pytest

from distill.core.config import load_yaml
from distill.core.errors import UserError
from distill.core.record_store import read_records
from distill.families.family import family_of
from distill.families.finished_model import require_model
from distill.pipeline.experiment import Experiment
from distill.pipeline.settings import resolve_settings
from tests.pipeline.carried_out import carried_out, rows
from tests.pipeline.seeds_project import write_project

FRESH = {"checkpoint": None, "fresh": {"layers": 2, "width": 16, "heads": 2, "vocabulary": 150}}
QUICK = {"epochs": 6, "learning_rate": 1e-2, "batch_size": 8, "precision": "fp32", "may_collapse": True}
SMALL = {**FRESH, "training": QUICK, "hidden": 16, "labelling": {"precision": "fp32"}}
TEACHERS = {
    "deep": {"preset": "encoder_lstm", **SMALL, "state": 12},
    "over": {"preset": "mlp", **SMALL, "weight": 0},
    "reading": {"preset": "lstm", **SMALL, "state": 12, "weight": 0},
    "static": {"preset": "bag", **SMALL, "weight": 0},
    "margins": {"preset": "words_svm", "weight": 0},
    "trees": {"preset": "words_boosting", "trees": 10, "components": 20, "weight": 0},
    "joined": {"preset": "words_embeddings", **FRESH, "inverse_penalty": 10, "weight": 0},
    "embedded": {"preset": "embeddings", **FRESH, "model": "svm", "inverse_penalty": 10, "weight": 0},
}
STUDENTS = {
    "small": {"preset": "3L", "layers": 1, "init": "pretrained", "training": QUICK},
    "flat": {"preset": "words_embeddings", "init": "pretrained", "inverse_penalty": 10},
}
FAMILIES = {
    **{"deep": "encoder_lstm", "over": "frozen_mlp", "reading": "lstm", "static": "bag"},
    **{"margins": "tfidf", "trees": "tfidf", "joined": "tfidf_embeddings", "embedded": "tfidf_embeddings"},
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    path = write_project(tmp_path_factory.mktemp("small"))
    parts = {"teachers": TEACHERS, "students": STUDENTS, "export": []}
    controls = {"gold_twins": False, "card_teacher": False, "tfidf": False, "bag_of_tokens": True}
    path.write_text(json.dumps({**load_yaml(path), **parts, "controls": controls}), "utf-8")
    return path


def test_each_is_a_teacher_from_gold_alone_and_a_source_of_soft_labels(project):
    _, done, _ = carried_out(project, until="evaluate")
    assert {"label deep", "train small", "train flat", "evaluate"} <= set(done)
    found, _ = rows(project)
    for name, family in FAMILIES.items():
        row = found[f"{name}@document"]
        assert row["role"] == "teacher" and row["quality"]["accuracy"]["value"] > 0.45, name
        assert family_of(project.parent / "run" / "teachers" / name).name == family
    assert all(found[name]["quality"]["accuracy"]["value"] > 0.45 for name in ("small@card", "flat@card"))
    control = found["bag_of_tokens@card"]
    assert (control["role"], control["control"]) == ("baseline", True) and "bag_of_tokens@card" in found["small@card"][
        "over_controls"
    ]
    kept = {path.suffix for name in FAMILIES for path in (project.parent / "run" / "teachers" / name).iterdir()}
    assert kept == {".json", ".safetensors"}


@pytest.mark.parametrize("name", FAMILIES)
def test_each_is_a_finished_teacher_of_another_run_that_answers_as_it_did(project, name, tmp_path):
    run, own = project.parent / "run", resolve_settings(project, tmp_path).project
    source, family = run / "teachers" / name, family_of(run / "teachers" / name)
    require_model(source, own.task.space, "document", own.views)
    family.take_over(source, tmp_path / name)
    records = [row.fields for row in read_records(run / "records", "valid")[:8]]
    before, after = (family.open(place).score(records).logits for place in (source, tmp_path / name))
    assert family_of(tmp_path / name).name == family.name and (before == after).all()


def test_a_twin_of_equal_steps_is_of_what_takes_steps(project):
    models = Experiment(resolve_settings(project, project.parent / "other", sets=["controls.gold_twins=true"])).models
    assert {"flat-gold", "small-gold", "small-gold-steps"} <= set(models) and "flat-gold-steps" not in models


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ("students.small.init=teacher", "family encoder_lstm, which has no layers to take"),
        ("teachers.deep.training.optimiser=muon", "teachers.deep.training.optimiser: the family encoder_lstm has no"),
        ("teachers.static.training.layer_decay=0.9", "teachers.static.training.layer_decay"),
        ("teachers.deep.directions=3", "teachers.deep.directions"),
        ("teachers.deep.encoder=thawed", "teachers.deep.encoder"),
        ("teachers.trees.model=forest", "no such model 'forest', known: boosting, logistic, svm"),
        (
            "teachers.joined.training.epochs=3",
            "teachers.joined.training: the family tfidf_embeddings takes no",
        ),
        ("students.flat.alpha=1", "students.flat.alpha: the family tfidf_embeddings takes no training steps"),
        ("teachers.over.starts_from=reading", "'reading' is of the family lstm, which has no weights to start from"),
    ],
)
def test_what_a_small_family_has_not_is_named(project, sets, message):
    with pytest.raises(UserError) as caught:
        resolve_settings(project, project.parent / "other", sets=[sets])
    assert message in str(caught.value) and caught.value.exit_code == 2
