"""Chance in closed form against drawn answers, and every teacher and student against each control."""

from __future__ import annotations

import numpy as np
import pytest

from distill.core.label_space import LabelSpace
from distill.core.objectives.multi_label import MultiLabel
from distill.core.predictions import write_predictions
from distill.evaluation.calibrated_predictions import CalibratedPredictions, Model
from distill.evaluation.evaluate import Measuring, evaluate
from distill.evaluation.majority import majority_predictions
from distill.evaluation.metrics import Tally, expected_tally, tally
from distill.evaluation.random_answers import random_predictions
from distill.evaluation.scored import Scored
from tests.evaluation.test_evaluate import MODELS, PRIORS, REFERENCES, ROWS, SETTINGS, SPACE, TESTS, predictions

FIGURES = ("accuracy", "f1_macro", "ece", "grade_distance", "kappa_quadratic")
WORDS = Model("tfidf@card", "baseline", "", "card", None, 50, control=True)


def drawn_figures(shares, target, space, draws=3000):
    """Means over drawn answers, each said with its share; `ece` of all draws together."""
    random, sums = np.random.default_rng(5), []
    for _ in range(draws):
        if space.objective.several:
            decided = random.random(target.shape) < shares
            said = np.where(decided, shares, 1 - shares)
            gaps = (said, decided == (target > 0))
        else:
            decided = np.eye(len(shares))[random.choice(len(shares), len(target), p=shares)]
            gaps = ((decided @ shares)[:, None], (decided * target).sum(1, keepdims=True) > 0)
        one = tally(space.objective.logits(decided), target, space.objective).columns
        cells = np.clip(np.ceil(gaps[0] * 15).astype(int) - 1, 0, 14)
        one[:, 5:20] = 0
        for column in range(cells.shape[1]):
            one[np.arange(len(one)), 5 + cells[:, column]] += (gaps[0] - gaps[1])[:, column] / cells.shape[1]
        sums.append(one)
    return Tally(np.mean(sums, axis=0).sum(axis=0))


@pytest.mark.parametrize(
    ("space", "shares"),
    [
        (LabelSpace(("а", "б", "в")), [0.6, 0.3, 0.1]),
        (LabelSpace(("а", "б", "в"), MultiLabel()), [0.7, 0.2, 0.4]),
    ],
    ids=["single", "multi"],
)
def test_chance_is_what_many_draws_come_to(space, shares):
    random, shares = np.random.default_rng(2), np.array(shares)
    several = space.objective.several
    target = (random.random((40, 3)) < 0.4).astype(float) if several else np.eye(3)[random.integers(0, 3, 40)]
    found = expected_tally(shares, np.tile(space.objective.logits(shares), (40, 1)), target, space.objective).total()
    drawn = drawn_figures(shares, target, space)
    for name in FIGURES[: 3 if several else 5]:
        assert getattr(found, name) == pytest.approx(getattr(drawn, name), abs=0.01), name
    np.testing.assert_allclose(found.precision, drawn.precision, atol=0.01)
    np.testing.assert_allclose(found.recall, drawn.recall, atol=0.01)


def test_chance_has_the_log_loss_of_the_class_shares_and_is_no_majority_answer():
    target = np.eye(3)[[0, 0, 1, 2]]
    one = Scored("m", SPACE, list("абвг"), np.zeros((4, 3)), target)
    like = CalibratedPredictions(one, 1.0, None, {"all": one})
    chance, majority = (made(like, PRIORS).tests["all"] for made in (random_predictions, majority_predictions))
    assert chance.name == "random" and chance.tally.total().log_loss == majority.tally.total().log_loss
    assert chance.tally.total().accuracy == pytest.approx((2 * 0.5 + 0.2 + 0.3) / 4)
    assert majority.tally.total().accuracy == 0.5


@pytest.fixture
def folder(tmp_path):
    """Words answer as the document teacher does, so they are better than every model on cards."""
    sources = {**{model.name: model.name for model in MODELS}, WORDS.name: "base@document"}
    for name, source in sources.items():
        for split in ROWS:
            write_predictions(tmp_path / name / f"{split}.parquet", predictions(source, split))
    return tmp_path


def found(folder, settings=SETTINGS, *, random=True, models=(*MODELS, WORDS)):
    measuring = Measuring(SPACE, settings, 1, PRIORS, random)
    made = evaluate(models, TESTS, REFERENCES, {None: folder}, measuring)
    return {model["name"]: model for model in made["models"]}


def test_teachers_and_students_are_held_against_every_control_in_the_metric_of_the_project(folder):
    models = found(folder)
    assert list(models["8L@card"]["over_controls"]) == ["tfidf@card", "random"]
    apart = models["8L@card"]["over_controls"]["tfidf@card"]
    values = [models[name]["quality"]["f1_macro"]["value"] for name in ("8L@card", "tfidf@card")]
    assert (
        apart["metric"] == "f1_macro"
        and apart["difference"] == pytest.approx(values[0] - values[1])
        and apart["high"] < 0
    )
    assert models["base@document"]["over_controls"]["tfidf@card"]["difference"] == 0
    assert models["8L@card"]["over_controls"]["random"]["low"] > 0
    assert all(models[name]["control"] for name in ("majority", "random", "tfidf@card"))
    for name in ("majority", "random", "tfidf@card"):
        assert "over_controls" not in models[name]
    assert models["random"]["over_majority"] is models["random"]["retention"] is None
    assert models["tfidf@card"]["over_majority"] is not None
    accuracy = found(folder, SETTINGS.model_copy(update={"metric": "accuracy"}))
    assert accuracy["8L@card"]["over_controls"]["tfidf@card"]["metric"] == "accuracy"


def test_without_controls_nothing_is_held_against_them(folder):
    models = found(folder, random=False, models=MODELS)
    assert "random" not in models and "over_controls" not in models["8L@card"]
