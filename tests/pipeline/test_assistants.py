"""Students that learn from students: an assistant is a student that another one names."""

from __future__ import annotations

import pytest

from distill.pipeline.experiment import Experiment
from distill.pipeline.plan import learning, plan, stages_until
from distill.pipeline.settings import resolve_settings
from distill.training.joining import Share

ASSISTED = ["students.big={preset: 4L, layers: 2}", "students.small.learns_from=[big]", "students.small.source=big"]


def _experiment(planted, *sets):
    return Experiment(resolve_settings(planted, planted.parent / "nowhere", sets=sets))


def _names(stages):
    return [stage.step.name for stage in stages]


def _step(experiment, name):
    return next(stage.step for stage in plan(experiment) if stage.step.name == name)


def test_each_comes_after_what_it_learns_and_starts_from(planted):
    """In the project's order the assistant is last; twins of their own length need no student, whatever is between."""
    names = _names(learning(_experiment(planted, *ASSISTED)))
    assert names[: names.index("predict base@document>card")] == [
        "train small-gold",
        "predict small-gold@card",
        "train big-gold",
        "predict big-gold@card",
        "ask gold-only twins",
        "label base",
        "train big",
        "label big",
        "train small",
        "train small-gold-steps",
        "train big-gold-steps",
        "predict small@card",
        "predict small-gold-steps@card",
        "predict big@card",
        "predict big-gold-steps@card",
        "predict tfidf@card",
    ]


def test_the_small_one_reads_the_assistant_alone(planted):
    experiment = _experiment(planted, *ASSISTED)
    assert _step(experiment, "train small").upstream == ("records", "students/big", "labels/big")
    assert _step(experiment, "label big").upstream == ("records", "students/big")
    assert _step(experiment, "train big").upstream == ("records", "teachers/base", "labels/base")
    assert _step(experiment, "train small-gold").upstream == ("records", "teachers/base")


def test_teacher_and_assistant_may_both_be_learnt_from_in_equal_parts(planted):
    experiment = _experiment(planted, *ASSISTED[:1], "students.small.learns_from=[base, big]")
    small = experiment.models["small"]
    assert experiment.teachers_of(small) == {"base": Share(0.5), "big": Share(0.5)}
    labels, mixed_after = ("labels/base", "labels/big"), ("predictions/base@document", "predictions/big@card")
    assert set(_step(experiment, "train small").upstream) == {"records", "teachers/base", *labels, *mixed_after}


@pytest.mark.parametrize(("learns", "labels"), [("base", ["label base"]), ("words", ["label base", "label words"])])
def test_a_teacher_that_nobody_chooses_labels_where_a_student_names_it(planted, learns, labels):
    words = "teachers.words={preset: words, weight: 0}"
    experiment = _experiment(planted, words, ASSISTED[0], f"students.small.learns_from=[{learns}]")
    assert sorted(name for name in _names(plan(experiment)) if name.startswith("label ")) == labels


def test_the_time_of_words_grows_with_the_rows_that_they_learn(planted):
    words = ["teachers.words={preset: words, weight: 0}", "students.word={preset: words}"]
    experiment, rows = _experiment(planted, *words), {"train": 90, "pool.urls": 40, "valid": 7}
    for name, read, like in (
        ("teach words@document", 90, None),
        ("train word", 130, None),
        ("train word-gold", 90, "train word"),
    ):
        work = _step(experiment, name).work(rows)
        assert (work.rows, work.like, work.steps) == (read, like, 0), name
    assert _step(experiment, "train small").work(rows).steps == 132


def test_labels_of_students_come_with_training_only(planted):
    """Without the students there is nothing that could make them."""
    stages = list(plan(_experiment(planted, *ASSISTED)))
    kept = stages_until(stages, "label")
    assert _names(kept)[-1] == "label base"
    made = {stage.step.artifact for stage in kept}
    assert all(made >= set(stage.step.upstream) for stage in kept)
    assert _names(stages_until(stages, "train"))[-1] == "train big-gold-steps"


@pytest.mark.parametrize("until", ["audit", "teach", "label", "train", "evaluate", "report"])
@pytest.mark.parametrize(
    "sets", [(), ASSISTED, [ASSISTED[0], "students.small.source=big"]], ids=["none", "both", "start"]
)
def test_every_step_comes_after_the_artifacts_that_it_reads(planted, sets, until):
    made: set[str] = set()
    for stage in stages_until(list(plan(_experiment(planted, *sets))), until):
        assert made >= set(stage.step.upstream), stage.step.name
        made.add(stage.step.artifact)
