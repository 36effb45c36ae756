"""Models of any family that another run has fitted, as teachers: taken over, members of a mixture, or refused."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from distill.core.errors import UserError
from distill.core.files import read_json, write_json
from distill.core.manifest import MANIFEST
from distill.core.progress import Reporter
from distill.core.record_store import read_records
from distill.core.soft_labels import read_soft_labels
from distill.families.family import family_of
from distill.pipeline.experiment import Experiment
from distill.pipeline.seeds import execute_run
from distill.pipeline.settings import resolve_settings
from distill.pipeline.steps.fit import fit_step
from tests.pipeline.word_project import write_project

ONCE = [
    "teachers={words: {preset: words}, cards: {preset: words, view: card}, "
    "both: {preset: ensemble, members: {words: 3, cards: 1}}}",
    "labels=document",
]
LABELS = "мимо, рядом, точно"


def execute(project, folder, *, until, sets=(), teachers=()):
    settings = resolve_settings(project, folder, teachers=teachers, sets=sets, until=until)
    return settings, execute_run(settings, Reporter(), until)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(project file, folder of the teachers that a run has fitted)."""
    project = write_project(tmp_path_factory.mktemp("fitted") / "project")
    execute(project, project.parent / "old", until="label", sets=ONCE)
    return project, project.parent / "old" / "teachers"


@pytest.fixture(scope="module")
def taken(made, tmp_path_factory):
    """(folder, settings, report up to the figures, up to the labels) of a run with the other one's teachers."""
    project, fitted = made
    run, given = tmp_path_factory.mktemp("taken") / "run", [f"{fitted / 'words'}:0.8", f"{fitted / 'both'}:0.2"]
    _, report = execute(project, run, until="evaluate", teachers=given, sets=["labels=document"])
    settings, labelled = execute(project, run, until="label", teachers=given, sets=["labels=document"])
    return run, settings, report, labelled


def logits(folder, rows):
    return family_of(folder).open(folder).score([row.fields for row in rows]).logits


def test_they_answer_as_the_other_run_has_fitted_them_and_are_weighted(made, taken):
    _, fitted = made
    run, settings, report, labelled = taken
    assert {name: one.made_by for name, one in settings.teachers.items()} == dict.fromkeys(
        ("words", "both"), "finished_model"
    )
    rows = read_records(run / "records", "pool.urls")
    for name in ("words", "both"):
        own = family_of(run / "teachers" / name)
        assert own.name == {"words": "tfidf", "both": "ensemble"}[name]
        np.testing.assert_array_equal(logits(run / "teachers" / name, rows), logits(fitted / name, rows))
        assert {row["name"]: row["role"] for row in report["models"]}[f"{name}@document"] == "teacher"
    assert labelled["choice"]["teachers"] == {"words@document": 0.8, "both@document": pytest.approx(0.2)}


def test_the_copy_needs_nothing_of_the_other_run(made, taken, tmp_path):
    run, *_ = taken
    alone = shutil.copytree(run / "teachers" / "both", tmp_path / "elsewhere" / "both")
    members = read_json(alone / "config.json")["distill"]["members"]
    assert members == {"members/1": 0.75, "members/2": 0.25}
    assert not list(alone.glob(f"members/*/{MANIFEST}"))
    rows = read_records(run / "records", "pool.urls")[:5]
    np.testing.assert_array_equal(logits(alone, rows), logits(made[1] / "both", rows))


def test_its_soft_labels_are_its_answers(taken):
    run, *_ = taken
    store, rows = read_soft_labels(run / "labels" / "both"), read_records(run / "records", "pool.urls")
    found = dict(zip(store.ids, store.logits, strict=True))
    answers = logits(run / "teachers" / "both", rows)
    np.testing.assert_allclose([found[row.id] for row in rows], answers, rtol=1e-5, atol=1e-5)


def refused(project, run, *, until="teach", sets=(), teachers):
    with pytest.raises(UserError) as caught:
        execute(project, run, until=until, sets=sets, teachers=teachers)
    assert caught.value.exit_code == 2 and not (run / "records").exists()
    return str(caught.value)


@pytest.mark.parametrize("name", ["words", "both"])
def test_other_labels_are_refused_by_name_before_anything_is_made(made, tmp_path, name):
    project, fitted = made
    sets = ["task.labels=[рядом, мимо, точно]"]
    teachers = ["words_svm", f"{fitted / name}:0.2"] if name == "both" else [str(fitted / name)]
    said = refused(project, tmp_path / "run", sets=sets, teachers=teachers)
    assert "trained for other labels" in said and str(fitted / name) in said and LABELS in said


@pytest.mark.parametrize(
    ("name", "change", "where"),
    [
        ("words", "views.document.max_tokens=23", "words"),
        ("words", "views.document.left=[page.title]", "words"),
        ("both", "views.card.max_tokens=15", "cards"),
        ("cards", "teachers={cards: {preset: base}}", "cards"),
    ],
)
def test_another_view_is_refused_also_that_of_a_member(made, tmp_path, name, change, where):
    project, fitted = made
    said = refused(project, tmp_path / "run", sets=[change], teachers=[str(fitted / name)])
    assert "reads another view" in said and str(fitted / where / "view.json") in said


def test_a_model_of_another_view_is_taken_where_its_entry_names_that(made, tmp_path):
    project, fitted = made
    sets = [f"teachers={{cards: {{preset: base, view: card, finished: {json.dumps(str(fitted / 'cards'))}}}}}"]
    execute(project, tmp_path / "run", until="teach", sets=sets)
    assert family_of(tmp_path / "run" / "teachers" / "cards").name == "tfidf"


def test_a_member_that_is_gone_and_a_source_of_labels_are_no_models(made, tmp_path):
    project, fitted = made
    alone = shutil.copytree(fitted / "both", tmp_path / "teachers" / "both")
    assert f"no model\n  where: {tmp_path / 'teachers' / 'words'}" in refused(
        project, tmp_path / "run", teachers=[str(alone)]
    )
    asking = tmp_path / "teachers" / "asking"
    asking.mkdir()
    write_json(asking / "config.json", {"distill": {"family": "http_llm", "view": "document"}})
    assert "no fitted model to take over" in refused(project, tmp_path / "run", teachers=[str(asking)])


def test_another_model_or_revision_of_the_hub_is_another_teacher(made, tmp_path):
    def fit(place):
        sets = [f"teachers={{cards: {{preset: base, view: card, finished: {place}}}}}"]
        experiment = Experiment(resolve_settings(made[0], tmp_path / "run", sets=sets))
        return fit_step(experiment, experiment.models["cards"]).config

    found = [fit(place) for place in ("owner/one", "owner/two", "owner/one@v2", json.dumps(str(made[1] / "cards")))]
    assert all(found.count(config) == 1 for config in found)
    assert fit("owner/one") == found[0]
