"""Thresholds against brute force over every possible one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from distill.evaluation.operating_points import Curves, choose, measured

NAMES = ["f1", "recall@P>=0.7", "precision@R>=0.8"]


def rows(seed, count=200, decimals=2):
    """Probabilities with many ties, higher for positives."""
    random = np.random.default_rng(seed)
    positive = random.random(count) < 0.3
    return np.clip(random.normal(0.4 + 0.2 * positive, 0.2), 0, 1).round(decimals), positive


def brute_force(probability, positive):
    """The best reachable (F1, recall at P ≥ 0.7, precision at R ≥ 0.8), -1 where none is."""
    best = [-1.0, -1.0, -1.0]
    for threshold in np.unique(probability):
        at = measured(probability, positive, threshold)
        if not at["recall"]:
            continue
        best[0] = max(best[0], at["f1"])
        best[1] = max(best[1], at["recall"] if at["precision"] >= 0.7 else -1.0)
        best[2] = max(best[2], at["precision"] if at["recall"] >= 0.8 else -1.0)
    return best


def reached(probability, positive):
    points = choose(probability, positive, 0.7, 0.8)
    wanted = zip(NAMES, ["f1", "recall", "precision"], strict=True)
    return [
        -1.0 if points[name] is None else measured(probability, positive, points[name])[figure]
        for name, figure in wanted
    ]


@pytest.mark.parametrize("seed", range(5))
def test_points_equal_brute_force(seed):
    assert reached(*rows(seed)) == brute_force(*rows(seed))


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=25))
def test_points_equal_brute_force_on_any_rows(pairs):
    probability, positive = np.array([p / 6 for p, _ in pairs]), np.array([g for _, g in pairs])
    assert reached(probability, positive) == brute_force(probability, positive)


@pytest.mark.parametrize("seed", range(5))
def test_on_each_draw_the_points_are_those_of_the_drawn_rows(seed):
    probability, positive = rows(seed, count=60, decimals=1)
    weights = np.random.default_rng(seed).poisson(0.4, (40, 60))
    found = Curves(probability, positive).best(weights, 0.7, 0.8)
    for place, times in enumerate(weights):
        drawn = np.repeat(probability, times), np.repeat(positive, times)
        at = [measured(*drawn, found[name][place]) for name in NAMES]
        best = [one[name] for one, name in zip(at, ("f1", "recall", "precision"), strict=True)]
        reached = [-1.0 if np.isnan(found[name][place]) else value for name, value in zip(NAMES, best, strict=True)]
        assert reached == brute_force(*drawn)


@given(st.permutations(range(12)))
def test_the_order_of_rows_never_matters(order):
    probability, positive = rows(7, count=12, decimals=1)
    shuffled = choose(probability[list(order)], positive[list(order)], 0.7, 0.8)
    assert shuffled == choose(probability, positive, 0.7, 0.8)


def test_measured_equals_sklearn():
    probability, positive = rows(8)
    at = measured(probability, positive, 0.5)
    predicted = probability >= 0.5
    precision, recall, f1, _ = reference.precision_recall_fscore_support(positive, predicted, average="binary")
    assert at == {
        "threshold": 0.5,
        "accuracy": pytest.approx(reference.accuracy_score(positive, predicted)),
        "precision": pytest.approx(precision),
        "recall": pytest.approx(recall),
        "f1": pytest.approx(f1),
    }


def test_the_threshold_lies_midway_and_a_score_on_it_is_positive():
    points = choose([0.2, 0.6], [False, True], 0.9, 0.9)
    assert points == {
        "f1": pytest.approx(0.4),
        "recall@P>=0.9": pytest.approx(0.4),
        "precision@R>=0.9": pytest.approx(0.4),
    }
    assert measured([0.4], [True], points["f1"])["recall"] == 1.0


def test_the_lowest_score_leaves_room_below():
    assert choose([0.5, 0.5], [True, True], 0.9, 0.9)["f1"] == 0.25
    assert choose([0.0, 0.0], [True, True], 0.9, 0.9)["f1"] == 0.0


def test_neighbouring_floats_stay_apart():
    lower = 0.5
    upper = np.nextafter(lower, 1.0)
    point = choose([lower, upper], [False, True], 0.9, 0.9)["f1"]
    assert measured([lower, upper], [False, True], point)["f1"] == 1.0


def test_equal_bests_are_decided_by_the_other_figure():
    probability, positive = [0.9, 0.8, 0.7, 0.6], [True, False, True, False]
    assert choose(probability, positive, 0.5, 0.5)["recall@P>=0.5"] == pytest.approx(0.65)
    equal_precision = choose([0.9, 0.8, 0.7, 0.6], [False, True, False, True], 0.9, 0.5)
    assert equal_precision["precision@R>=0.5"] == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("positive", "missing"),
    [([True, False], {"recall@P>=0.9"}), ([False, False], {"f1", "recall@P>=0.9", "precision@R>=0.9"})],
)
def test_unreachable_points_are_none(positive, missing):
    points = choose([0.1, 0.9], positive, 0.9, 0.9)
    assert {name for name, threshold in points.items() if threshold is None} == missing


def test_a_threshold_that_nothing_reaches_measures_zero_not_nan():
    at = measured([0.1, 0.2], [True, False], 0.9)
    assert at["precision"] == at["recall"] == at["f1"] == 0.0 and at["accuracy"] == 0.5


def test_bad_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(2,\) and \(3,\)"):
        choose([0.1, 0.2], [True, False, True], 0.9, 0.9)
    with pytest.raises(ValueError, match="rows"):
        measured([], [], 0.5)
