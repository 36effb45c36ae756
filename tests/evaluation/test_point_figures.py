"""Figures at chosen thresholds: both validation and the reported rows drawn again, against loops."""

from __future__ import annotations

import numpy as np
import pytest

from distill.core.label_space import LabelSpace
from distill.evaluation.bootstrap import Bootstrap
from distill.evaluation.operating_points import choose, measured
from distill.evaluation.over_seeds import Seeded
from distill.evaluation.point_figures import Thresholds, choose_again, points
from distill.evaluation.scored import Scored

SPACE = LabelSpace(("мимо", "точно"), positive="точно")
RULES = ("f1", "recall@P>=0.8", "precision@R>=0.8")
DRAWS = 120


def scored(seed, rows=90, clusters=None):
    random = np.random.default_rng(seed)
    target = np.eye(2)[(random.random(rows) < 0.4).astype(int)]
    logits = (random.normal(size=(rows, 2)) + 1.2 * target).round(1)
    return Scored("8L", SPACE, list(map(str, range(rows))), logits, target, clusters=clusters)


def chosen(valid, bootstrap):
    return Thresholds(choose(*valid.positive(), 0.8, 0.8), choose_again(valid, bootstrap, 0.8, 0.8))


def repeated(values, draw):
    return np.repeat(values, draw.astype(int))


def test_thresholds_are_chosen_again_as_on_rows_that_are_there_as_often():
    """The figures that a threshold reaches are those of `choose` on the drawn rows themselves."""
    valid = scored(1)
    bootstrap = Bootstrap(90, np.arange(90) // 2, DRAWS, seed=2)
    found = choose_again(valid, bootstrap, 0.8, 0.8)
    for place, draw in enumerate(bootstrap.resample(np.eye(90))):
        rows = [repeated(one, draw) for one in valid.positive()]
        for rule, expected in choose(*rows, 0.8, 0.8).items():
            assert np.isnan(found[rule][place]) == (expected is None)
            if expected is not None:
                own, other = measured(*rows, found[rule][place]), measured(*rows, expected)
                assert {**own, "threshold": 0} == {**other, "threshold": 0}


def test_of_all_rows_once_the_threshold_is_the_chosen_one():
    valid = scored(1)
    once = Bootstrap(90, None, 1)
    once._kept = [np.ones((1, 90), np.uint16)]
    assert {rule: one[0] for rule, one in choose_again(valid, once, 0.8, 0.8).items()} == choose(
        *valid.positive(), 0.8, 0.8
    )


def test_an_interval_holds_other_rows_and_other_thresholds():
    """Against the definition: on each draw the threshold of a draw of validation, and the figures there."""
    valid, test = scored(1), scored(2, 110)
    on_valid, on_test = Bootstrap(90, None, DRAWS, seed=4), Bootstrap(110, None, DRAWS, seed=5)
    thresholds = chosen(valid, on_valid)
    found = points(Seeded([test], on_test), [thresholds])["f1"]
    weights = on_test.resample(np.eye(110))
    drawn = [
        measured(*(repeated(one, draw) for one in test.positive()), at)
        for draw, at in zip(weights, thresholds.drawn["f1"], strict=True)
    ]
    for name in ("accuracy", "precision", "recall", "f1"):
        assert found[f"{name}_interval"] == pytest.approx(
            np.quantile([one[name] for one in drawn], [0.025, 0.975]).tolist()
        )
        assert found[name] == measured(*test.positive(), thresholds.chosen["f1"])[name]


def test_recall_is_less_sure_than_at_a_threshold_that_never_moves():
    """The planted fault: intervals of figures at a chosen threshold as if it had been given."""
    valid, test = scored(1), scored(2, 110)
    thresholds = chosen(valid, Bootstrap(90, None, DRAWS, seed=4))
    given = Thresholds(thresholds.chosen, {rule: np.full(DRAWS, thresholds.chosen[rule]) for rule in RULES})
    model = Seeded([test], Bootstrap(110, None, DRAWS, seed=5))
    moving, fixed = (np.ptp(points(model, [one])["recall@P>=0.8"]["recall_interval"]) for one in (thresholds, given))
    assert moving > 1.2 * fixed


def test_with_two_keys_what_rows_add_is_narrowed_and_what_thresholds_add_is_not():
    keys = np.random.default_rng(3).integers(0, 60, (110, 2)) + [0, 100]
    test, thresholds = scored(2, 110, keys), chosen(scored(1), Bootstrap(90, None, DRAWS, seed=4))
    given = Thresholds(thresholds.chosen, {rule: np.full(DRAWS, thresholds.chosen[rule]) for rule in RULES})
    both = Seeded([test], test.bootstrap(DRAWS))
    rows = Seeded([test], Bootstrap(110, None, DRAWS))
    wide, fixed, plain = (
        np.ptp(points(model, [one])["f1"]["f1_interval"])
        for model, one in ((both, thresholds), (both, given), (rows, given))
    )
    assert wide > fixed and fixed == pytest.approx(plain, rel=0.35)  # product weights alone are 1.7 times as wide


def test_a_rule_that_resamples_do_not_reach_has_no_interval():
    model = Seeded([scored(2, 110)], Bootstrap(110, None, DRAWS))
    drawn = np.full(DRAWS, 0.5)
    drawn[: DRAWS // 40 + 1] = np.nan
    found = points(model, [Thresholds({"recall@P>=0.8": 0.5}, {"recall@P>=0.8": drawn})])["recall@P>=0.8"]
    assert found["recall"] > 0 and found["recall_interval"] == [None, None]
    assert points(model, [Thresholds({"f1": None}, {"f1": drawn})]) == {"f1": None}
    assert points(model, []) == {}


def test_over_seeds_each_has_its_own_threshold_and_its_ends():
    seeds = [scored(2, 110), Scored("8L", SPACE, scored(2, 110).ids, scored(7, 110).logits, scored(2, 110).target)]
    thresholds = [Thresholds({"f1": at}, {"f1": np.full(DRAWS, at)}) for at in (0.4, 0.6)]
    found = points(Seeded(seeds, Bootstrap(110, None, DRAWS)), thresholds)["f1"]
    own = [measured(*one.positive(), at)["recall"] for one, at in zip(seeds, (0.4, 0.6), strict=True)]
    assert found["threshold"] == 0.5 and found["recall"] == pytest.approx(np.mean(own))
    assert found["recall_spread"] == [min(own), max(own)]
    assert found["recall_interval"][0] >= 0 and found["recall_interval"][1] <= 1
