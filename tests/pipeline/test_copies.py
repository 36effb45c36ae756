"""Several fits of one teacher's recipe, with other seeds."""

from __future__ import annotations

from pathlib import Path

import pytest

from distill.core.errors import UserError
from distill.core.names import name_problems
from distill.pipeline.models import Start
from distill.pipeline.plan import plan
from tests.pipeline.seeds_project import experiment_of, write_project

COPIES = "teachers.new.copies=3"
NAMES = ["new", "new-copy2", "new-copy3"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path)


def steps(experiment):
    return {stage.step.name: stage.step for stage in plan(experiment)}


def test_each_copy_is_a_teacher_with_a_seed_of_its_own(project):
    own, alone = experiment_of(project, COPIES, "training_seed=5"), experiment_of(project, "training_seed=5")
    fits = [steps(own)[f"teach {name}@document"] for name in NAMES]
    assert [fit.config["seed"] for fit in fits] == [5, 1005, 2005]
    assert [fit.artifact for fit in fits] == [f"teachers/{name}" for name in NAMES]
    assert {fit.upstream for fit in fits} == {("records", "checkpoints/new")}
    assert fits[0].config == steps(alone)["teach new@document"].config


def test_they_label_together_and_share_the_weight(project):
    own = experiment_of(project, COPIES, "teachers.new.weight=3", "teachers.old.weight=1", "labels=document")
    shares = {f"{name}@document": 0.25 for name in [*NAMES, "old"]}
    assert own.candidates["document"] == pytest.approx(shares)
    assert list(own.candidates["mixture"]) == [*shares, "new@card"]
    made = steps(own)
    assert {f"label {name}" for name in [*NAMES, "old"]} <= set(made)
    assert set(made["train small"].upstream) >= {f"labels/{name}" for name in NAMES}
    assert own.references.document == "ensemble@document"


def test_there_is_one_card_teacher_and_students_start_from_the_first(project):
    own = experiment_of(project, COPIES)
    assert [name for name in own.models if name.endswith("@card")] == ["new@card"]
    assert own.start(own.models["small"]) == Start("teachers/new")
    assert [name for name in steps(own) if name.startswith("checkpoint")] == ["checkpoint new", "checkpoint old"]


def test_one_of_them_is_exported_and_timed_and_all_are_measured(project):
    own = experiment_of(project, COPIES)
    assert {spec.name for spec in own.timed} == {"new", "new@card", "small"}
    assert {f"predict {name}@document" for name in NAMES} <= set(steps(own))


def test_an_ensemble_may_be_made_of_them_and_copies_may_be_cross_fitted(project):
    members = "teachers.both={preset: ensemble, members: {new: 1, new-copy3: 2}, weight: 0, space: logit}"
    own = experiment_of(project, COPIES, members)
    assert steps(own)["teach both@document"].upstream == ("records", "teachers/new", "teachers/new-copy3")
    crossed = steps(experiment_of(project, "teachers.new.copies=2", "teachers.new.cross_fit=2", "labels=document"))
    folds = [crossed[f"teach new{copy}-fold{fold}@document"] for copy in ("", "-copy2") for fold in (1, 2)]
    assert [fold.config["seed"] for fold in folds] == [1, 1, 1001, 1001]


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        (["teachers.new.copies=2", "teachers.both={preset: ensemble, members: {new: 1, new-copy3: 2}}"], "new-copy3"),
        (["teachers.new.finished=x", "teachers.new.copies=2"], "teachers.new.copies: of the family finished nothing"),
        (["teachers.new.labels=x", "teachers.new.copies=2"], "teachers.new.copies: of the family imported nothing"),
    ],
)
def test_mistakes_are_named(project, sets, message):
    with pytest.raises(UserError, match=message) as caught:
        experiment_of(project, *sets)
    assert caught.value.exit_code == 2


def test_a_mixture_of_copies_needs_no_card_teacher(project):
    sets = [COPIES, "labels=mixture", "controls.card_teacher=false"]
    assert list(experiment_of(project, *sets).candidates["mixture"]) == [f"{name}@document" for name in NAMES]
    with pytest.raises(UserError, match="labels: mixture needs two teachers of this run, but controls.card_teacher"):
        experiment_of(project, *sets[1:])


@pytest.mark.parametrize("name", ["base-copy2", "base-Fold11"])
def test_their_names_are_kept_for_them(name):
    assert "kept for folders that distill makes itself" in name_problems("teachers", [name])[0]
    assert name_problems("views", [name]) == [] == name_problems("teachers", ["base-copy", "fold2"])
