"""Objectives that do not suit the task are named before anything is made; a fit depends on what it reads."""

from __future__ import annotations

import pytest

from distill.core.errors import UserError
from distill.pipeline.experiment import Experiment
from distill.pipeline.plan import plan
from distill.pipeline.settings import resolve_settings

ORDERED, POSITIVE = "task.ordered=true", "task.positive=точно"
MSE = "teachers.base.training.objective=regression"
PRETRAIN = "teachers.base.pretrain=true"
ONE = "students.small.training.objective=one_vs_rest"


def resolved(planted, *sets):
    return resolve_settings(planted, planted.parent / "nowhere", sets=sets)


def fitted(planted, *sets):
    """The fingerprints of the fits, by name."""
    stages = plan(Experiment(resolved(planted, *sets)))
    return {s.step.name: s.step.config for s in stages if s.step.name.startswith(("teach", "train"))}


@pytest.mark.parametrize(
    ("sets", "parts"),
    [
        ([MSE], ["teachers.base.training.objective.regression: an ordinal task with unordered values", "task.ordered"]),
        ([MSE, "task.kind=multi"], ["an ordinal task has one label per record, and task.kind is multi"]),
        (
            [ORDERED, "teachers.base.training.objective={regression: {class_values: [0, 2, 1]}}"],
            ["objective.regression.class_values", "an ordinal task with unordered values: each has to be above"],
        ),
        (
            [ORDERED, "teachers.base.training.objective={regression: {class_values: [0, 1]}}"],
            ["objective.regression: class_values: 2 values for 3 labels"],
        ),
        (
            [ORDERED, "teachers.base.training.objective={regression: {borders: f1}}"],
            ["objective.regression: borders: f1 begins with the positive class, and task.positive is not set"],
        ),
        (
            [ORDERED, "teachers.base.training.objective={regression: {border: f1}}"],
            ["teachers.base.training.objective.regression.border: unknown, did you mean 'borders'?"],
        ),
        (["teachers.base.training.objective=regresion"], ["unknown objective, did you mean 'regression'?"]),
        (
            ["teachers.base.training.objective={regression: {}, cross_entropy: {}}"],
            ["objective.regression: one objective is needed", "no cross_entropy beside it; a name alone replaces"],
        ),
        (["teachers.base.training.objective={}"], ["objective.NAME: one objective is needed, NAME or"]),
        ([ONE], ["students.small.training.objective.one_vs_rest: task.positive is not set"]),
        ([ONE, POSITIVE, "task.kind=multi"], ["objective.one_vs_rest: of several labels each has a yes or no"]),
        (
            [ORDERED, MSE, "teachers.base.training.label_smoothing=0.1"],
            ["label_smoothing: regression has no classes to spread over"],
        ),
        (
            [ORDERED, MSE, "teachers.base.training.keep_evaluated=true"],
            ["keep_evaluated: of regression a head is folded at the end alone"],
        ),
        (
            ["students.small.training.class_weights={точна: 2}"],
            ["students.small.training.class_weights: unknown class 'точна', did you mean 'точно'?"],
        ),
        (["students.small.training.class_weights={мимо: 0, рядом: 0, точно: 0}"], ["every class weighs 0"]),
        (["students.small.training.class_weights=even"], ["students.small.training.class_weights"]),
        (["task.kind=multi", "teachers.base.training.class_weights=balanced"], ["class_weights: a row with several"]),
        (["task.kind=multi", "teachers.base.training.oversample=1"], ["oversample: a row with several labels"]),
        (
            ["teachers.base.training.oversample=1", "teachers.base.training.class_weights=balanced"],
            ["oversample: class_weights: balanced evens the classes out already"],
        ),
        (
            ["students.small.training.oversample=1", "students.small.rows=pool"],
            [
                "students.small.training.oversample: gold rows are drawn again",
                "rows of the pool have no gold; remove it",
            ],
        ),
        (
            ["teachers.other={preset: distilce, learns_from: [base], rows: urls, training: {oversample: 1}}"],
            ["teachers.other.training.oversample: gold rows are drawn", "or add train to teachers.other.rows"],
        ),
        (
            [ORDERED, "students.small={training: {objective: regression}, losses: {logits_mse: {centred: true}}}"],
            ["students.small.losses.logits_mse.centred"],
        ),
        ([PRETRAIN, "pretrain.training.oversample=1"], ["pretrain.training.oversample: pre-training reads no classes"]),
        (
            [PRETRAIN, "pretrain.training.objective=one_vs_rest"],
            ["pretrain.training.objective: pre-training reads no classes"],
        ),
    ],
)
def test_mistakes_are_named(planted, sets, parts):
    with pytest.raises(UserError) as caught:
        resolved(planted, *sets)
    assert all(part in str(caught.value) for part in parts), str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("rows", ["all", "train", "[train, urls]"])
def test_gold_rows_are_drawn_again_where_some_are_learnt(planted, rows):
    resolved(planted, "students.small.training.oversample=1", f"students.small.rows={rows}")


def test_a_fit_depends_on_the_positive_class_where_its_objective_reads_it(planted):
    plain, positive = fitted(planted), fitted(planted, POSITIVE)
    assert plain == positive
    by_f1 = "teachers.base.training.objective={regression: {borders: f1}}"
    for sets, name in (([ONE], "train small"), ([by_f1, ORDERED], "teach base@document")):
        assert fitted(planted, POSITIVE, *sets)[name]["task"]["positive"] == "точно"
    assert "positive" not in fitted(planted, POSITIVE, ORDERED, MSE)["teach base@document"]["task"]
    assert (
        plain["teach base@document"]
        == fitted(planted, "teachers.base.training.objective=cross_entropy")["teach base@document"]
    )


def test_an_objective_counts_in_fingerprints_by_its_name_and_what_differs_from_its_defaults(planted):
    own = fitted(planted, POSITIVE, ONE)
    assert own["train small"]["training"]["objective"] == {"one_vs_rest": {}}
    assert own["train small-gold"]["training"]["objective"] == {"one_vs_rest": {}}
    borders = "teachers.base.training.objective={regression: {borders: midpoints}}"
    assert fitted(planted, ORDERED, borders)["teach base@document"]["training"]["objective"] == {"regression": {}}
