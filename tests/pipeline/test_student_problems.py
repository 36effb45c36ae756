"""What is wrong with students alone stops the verbs that train them, and no earlier one."""

from __future__ import annotations

import pytest

from distill.api import run
from distill.core.errors import UserError
from distill.pipeline.experiment import Experiment
from distill.pipeline.plan import planned
from distill.pipeline.settings import resolve_settings
from tests.cli.planted_project import write_project
from tests.pipeline.word_project import PROJECT

NO_LAYERS = "students.6L.source: '{}' is of the family {}, which has no layers to take"
OPTIONS = {
    "cascade": ["teachers.cascade.keywords={мимо: [a], рядом: [b], точно: [c]}"],
    "http_llm": ["teachers.http_llm={url: 'http://127.0.0.1:9/v1', model: m}"],
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project whose student needs layers; of its teachers only `base` has some."""
    path = write_project(tmp_path_factory.mktemp("unready"), {"train": 60, "valid": 60, "test": 40, "pool": 20})
    text = PROJECT.replace("students: {}", "students: {6L: {preset: 6L}}").replace(
        "card_teacher: false", "random: true"
    )
    path.write_text(text, encoding="utf-8")
    return path


def names(project, until, *sets, teachers):
    settings = resolve_settings(project, project.parent / "run", teachers=teachers, sets=sets, until=until)
    return [stage.step.name for stage in planned(Experiment(settings), until)]


@pytest.mark.parametrize(
    ("teacher", "family"),
    [
        ("lstm", "lstm"),
        ("mlp", "frozen_mlp"),
        ("words_embeddings", "tfidf_embeddings"),
        ("lora_decoder", "lora_decoder"),
        ("cascade", "cascade"),
        ("http_llm", "http_llm"),
    ],
)
def test_a_teacher_without_layers_is_taught_and_labels_all_the_same(project, teacher, family):
    sets = OPTIONS.get(teacher, [])
    assert f"teach {teacher}@document" in names(project, "teach", *sets, teachers=[teacher])
    assert f"label {teacher}" in names(project, "label", *sets, teachers=[teacher])
    for until in ("train", "report"):
        with pytest.raises(UserError) as caught:
            names(project, until, *sets, teachers=[teacher])
        assert NO_LAYERS.format(teacher, family) in str(caught.value) and caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("students.6L.source=base", "students.6L.source: no such model 'base'"),
        ("students.6L.learns_from=[base]", "students.6L.learns_from: no such model 'base'"),
        ("students.6L.view=crad", "students.6L.view: unknown view 'crad'"),
        ("students.6L.rows=[elsewhere]", "students.6L.rows: no such pool source 'elsewhere'"),
    ],
)
def test_names_that_only_students_give_stop_nobody_else(project, change, problem):
    assert "label words" in names(project, "label", change, teachers=["words"])
    with pytest.raises(UserError) as caught:
        names(project, "train", change, teachers=["words"])
    assert problem in str(caught.value)


def test_a_teachers_own_problem_stops_every_verb_and_the_students_is_not_told_with_it(project):
    for until in ("audit", "teach", "label", "select"):
        with pytest.raises(UserError) as caught:
            names(project, until, "teachers.words.view=dcument", teachers=["words"])
        assert "teachers.words" in str(caught.value) and "students" not in str(caught.value)
    with pytest.raises(UserError) as both:
        names(project, "train", "teachers.words.view=dcument", teachers=["words"])
    assert "teachers.words.view" in str(both.value) and "students.6L.source" in str(both.value)


def test_students_that_are_fine_stay_in_the_plan_of_every_verb(project):
    settings = resolve_settings(project, project.parent / "run", teachers=["base"], until="label")
    assert list(settings.students) == ["6L"] and not settings.students_later


def test_the_card_teacher_is_asked_too_and_an_ensemble_of_the_student_waits(project):
    both = "teachers.both={preset: ensemble, members: {words: 1, 6L: 1}, weight: 0}"
    made = names(project, "label", both, "labels=card", teachers=["words", "both"])
    assert {"teach words@card", "choose labels", "label words@card"} <= set(made)
    assert not any("both" in name for name in made)


def test_the_labels_are_made_as_a_user_asks_and_training_is_refused(project):
    folder = project.parent / "made"
    small = ["teachers={words: {preset: words}}", "controls.card_teacher=false"]
    report = run(project, folder, until="label", sets=small)
    assert report["outcome"]["state"] == "finished" and report["choice"]["taken"] == "document"
    assert list((folder / "labels" / "words").glob("*.parquet")) and not (folder / "students").exists()
    with pytest.raises(UserError, match="which has no layers to take"):
        run(project, folder, until="train", sets=small)
