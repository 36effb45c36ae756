"""Thresholds whose share holds on other rows: the lower end of an interval over clusters, not the estimate."""

import numpy as np
import pytest

from distill.core.errors import UserError
from distill.evaluation.cluster_shares import ClusterShares
from distill.evaluation.operating_points import choose
from distill.evaluation.proportions import wilson
from distill.evaluation.safe_points import (
    LEAST_COST,
    Rows,
    Rule,
    asked_rule,
    choose_safely,
    mean_cost,
    named_rule,
    point_figures,
)


def rows(chances, positive, clusters=None, weights=None, costs=None):
    count = len(chances)
    chances, positive = np.asarray(chances, np.float64), np.asarray(positive, np.bool_)
    clusters = np.arange(count) if clusters is None else np.asarray(clusters)
    return Rows(chances, positive, np.ones(count) if weights is None else weights, clusters, costs)


def drawn(random, count, size, apart):
    """Chances and gold of rows in clusters of one size, of which each has a luck of its own."""
    luck = np.repeat(random.normal(0, apart, count // size), size)
    score = random.normal(0, 1.5, count)
    gold = random.random(count) < 1 / (1 + np.exp(1 - 2 * score - luck))
    return 1 / (1 + np.exp(1 - 2 * score)), gold, np.repeat(np.arange(count // size), size)


@pytest.mark.parametrize("right", [0, 30, 97, 100])
def test_of_independent_rows_the_interval_is_wilsons_with_students_factor(right):
    counts = np.zeros(100)
    counts[:right] = 1
    found = ClusterShares(np.arange(100)).interval(counts, np.ones(100))
    factor = (1.959964 / 1.984217) ** 2  # z and t of 99 degrees of freedom
    told = 100 if right in (0, 100) else 99  # the variance is over G − 1
    assert found == pytest.approx(wilson(right / 100, told * factor), rel=1e-5)


def test_copies_of_a_row_say_no_more_than_the_row():
    right = np.random.default_rng(1).random(80) < 0.9
    once = ClusterShares(np.arange(80)).interval(right.astype(float), np.ones(80))
    copied = np.repeat(right, 25).astype(float)
    many = ClusterShares(np.repeat(np.arange(80), 25)).interval(copied, np.ones(2000))
    assert many == pytest.approx(once, rel=1e-6)
    assert ClusterShares(np.arange(2000)).interval(copied, np.ones(2000))["low"] > once["low"] + 0.03


def test_a_further_key_with_few_values_is_not_among_the_clusters_as_in_the_bootstrap():
    random = np.random.default_rng(3)
    product, shop = random.integers(0, 500, 2000), 10_000 + np.arange(2000) % 4
    right, inside = (random.random(2000) < 0.92).astype(float), (shop == 10_000).astype(float)
    both = ClusterShares(np.stack([product, shop], axis=1)).interval(right * inside, inside)
    assert both == ClusterShares(product).interval(right * inside, inside)
    assert both["high"] - both["low"] < 0.08


def test_a_few_right_answers_leave_doubt_and_one_cluster_more():
    few = ClusterShares(np.arange(3)).interval(np.ones(3), np.ones(3))
    assert few["value"] == 1 and few["low"] < 0.3
    one = ClusterShares(np.zeros(50, np.int64)).interval(np.ones(50), np.ones(50))
    assert one == wilson(1.0, 1)
    nothing = ClusterShares(np.arange(3)).interval(np.zeros(3), np.zeros(3))
    assert nothing == {"value": None, "low": None, "high": None}


def test_rows_that_share_either_key_depend_on_each_other():
    random = np.random.default_rng(2)
    pages, products = random.integers(0, 40, 400), random.integers(100, 140, 400)
    right = (random.random(40) < 0.7)[pages].astype(float)
    both = ClusterShares(np.stack([products, pages], axis=1)).interval(right, np.ones(400))
    assert both["low"] <= ClusterShares(pages).interval(right, np.ones(400))["low"] + 1e-12
    assert both["low"] < ClusterShares(products).interval(right, np.ones(400))["low"] - 0.05


def test_the_best_f1_is_that_of_every_other_choice():
    for seed in range(20):
        chances, gold, _ = drawn(np.random.default_rng(seed), 120, 1, 0)
        chances = np.round(chances, 2)
        found = choose_safely(rows(chances, gold), [Rule("f1", "f1")])["f1"].threshold
        assert found == choose(chances, gold, 0.9, 0.9)["f1"]


def test_a_share_that_is_asked_holds_on_other_rows_where_the_estimate_does_not():
    random = np.random.default_rng(3)
    elsewhere, true, _ = drawn(random, 200_000, 4, 1.5)
    rules = [asked_rule("precision >= 90%"), asked_rule("recall>=0.9")]
    missed, found, estimates = [], 0, []
    for _ in range(25):
        chances, gold, clusters = drawn(random, 1200, 4, 1.5)
        chosen = choose_safely(rows(chances, gold, clusters), rules)
        if (least := chosen["recall@P>=0.9"].threshold) is not None:
            found += 1
            missed.append(true[elsewhere >= least].mean() < 0.9)
        missed.append(true[elsewhere >= chosen["precision@R>=0.9"].threshold].sum() < 0.9 * true.sum())
        estimates.append(true[elsewhere >= choose(chances, gold, 0.9, 0.9)["recall@P>=0.9"]].mean() < 0.9)
    assert found > 10 and np.mean(missed) < 0.1 < 0.3 < np.mean(estimates)


def test_what_no_threshold_reaches_is_said_with_the_nearest():
    random = np.random.default_rng(4)
    found = choose_safely(rows(random.random(200), random.random(200) < 0.5), [asked_rule("precision>=0.95")])
    assert found["recall@P>=0.95"].threshold is None and 0.3 < found["recall@P>=0.95"].nearest < 0.95
    nobody = choose_safely(rows(random.random(50), np.zeros(50)), [asked_rule("recall>=0.5"), Rule("f1", "f1")])
    assert nobody["precision@R>=0.5"].nearest == 0 and nobody["f1"].threshold is None


def test_a_weight_counts_as_that_many_rows():
    chances, gold, _ = drawn(np.random.default_rng(5), 300, 1, 0)
    times = np.where(gold, 3, 1)
    rules, own = [Rule("f1", "f1"), asked_rule("recall>=0.8")], np.arange(300)
    weighed = choose_safely(rows(chances, gold, own, times.astype(float)), rules)
    again = np.repeat(own, times)
    copied = choose_safely(rows(chances[again], gold[again], again), rules)
    assert {name: one.threshold for name, one in weighed.items()} == {n: one.threshold for n, one in copied.items()}
    decided = chances >= weighed["f1"].threshold
    measured = point_figures(rows(chances, gold, own, times.astype(float)), decided)
    assert measured["precision"]["value"] == pytest.approx((times * gold * decided).sum() / (times * decided).sum())


@pytest.mark.parametrize(("price", "expected"), [((0, 1, 5, 0), "some"), ((0, 9, 0.1, 0.2), None), ((1, 0, 1, 0), 0.0)])
def test_the_threshold_of_least_cost_is_that_of_every_threshold(price, expected):
    """Prices: of calling a negative negative, and positive; of calling a positive negative, and positive."""
    chances, gold, _ = drawn(np.random.default_rng(6), 200, 1, 0)
    by_gold = np.array([[price[1], price[0]], [price[3], price[2]]], np.float64)
    held = rows(chances, gold, costs=by_gold[gold.astype(int)])
    chosen = choose_safely(held, [Rule(LEAST_COST, LEAST_COST)])[LEAST_COST].threshold
    least = min(mean_cost(held, chances >= one) for one in [*chances, 2.0])
    here = np.zeros(200, np.bool_) if chosen is None else chances >= chosen
    assert mean_cost(held, here) == pytest.approx(least)
    assert (chosen not in (None, 0.0)) if expected == "some" else chosen == expected


def test_rules_have_the_names_that_bundles_know():
    assert asked_rule("precision>=0.90") == named_rule("recall@P>=0.9") == Rule("recall@P>=0.9", "recall", 0.9)
    assert asked_rule("recall>=80%") == named_rule("precision@R>=0.8") == Rule("precision@R>=0.8", "precision", 0.8)
    assert named_rule("f1") == Rule("f1", "f1") and named_rule("of old") is None and named_rule("recall@P>=x") is None


@pytest.mark.parametrize(
    "text", ["precision", "precision>=2", "precision>=0", "f1>=0.9", "precision>=9%0", "recall>=x"]
)
def test_what_is_no_rule_is_refused(text):
    with pytest.raises(UserError, match="write for example precision>=0.9"):
        asked_rule(text)
