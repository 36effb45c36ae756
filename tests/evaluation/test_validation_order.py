"""Whether validation ranks as the test does: a planted swap is named, equal models never are."""

from __future__ import annotations

import numpy as np
import pytest

from distill.core.label_space import LabelSpace
from distill.evaluation.over_seeds import Seeded
from distill.evaluation.scored import Scored
from distill.evaluation.validation_order import validation_order
from distill.report.order_table import order_sheet, order_warnings

SPACE = LabelSpace(("мимо", "точно"))
ROWS = 300


def models(signals, seed):
    """Models on the same rows, right more often the stronger their signal."""
    gold = np.random.default_rng(seed).integers(0, 2, ROWS)
    target = np.eye(2)[gold]
    scored = {
        name: Scored(
            name,
            SPACE,
            [f"r{i}" for i in range(ROWS)],
            np.random.default_rng([seed, place]).normal(size=(ROWS, 2)) + signal * target,
            target,
        )
        for place, (name, signal) in enumerate(signals.items())
    }
    draws = next(iter(scored.values())).bootstrap(200)
    return {name: Seeded([one], draws) for name, one in scored.items()}


VALID = models({"a": 3.0, "b": 1.0, "c": 0.2}, 1)


def test_the_same_order_has_a_correlation_of_1_and_no_pair():
    found = validation_order(VALID, models({"a": 3.0, "b": 1.0, "c": 0.2}, 2), "accuracy")
    assert found["kendall"] == pytest.approx(1) and found["swapped"] == []
    assert list(order_warnings({"validation_order": found})) == []


def test_a_pair_that_changes_places_is_named_and_warned_of():
    found = validation_order(VALID, models({"a": 1.0, "b": 3.0, "c": 0.2}, 2), "accuracy")
    (pair,) = found["swapped"]
    assert (pair["a"], pair["b"]) == ("a", "b") and found["kendall"] == pytest.approx(1 / 3)
    assert pair["valid"]["low"] > 0 > pair["test"]["high"]
    (warning,) = order_warnings({"validation_order": found})
    assert "accuracy, points" in warning and "a − b +" in warning


def test_of_log_loss_the_lowest_comes_first():
    report = {"validation_order": validation_order(VALID, VALID, "log_loss")}
    sheet = order_sheet(report)
    place = next(column for column in sheet.columns if column.alone == "Validation: place")
    least = min(sheet.rows, key=lambda row: row["valid"]["value"])
    assert place.cell(least) == "1" and sheet.caption.startswith("Log loss on both")


def test_equal_models_are_hardly_ever_a_pair():
    found = [
        validation_order(models({"a": 1.0, "b": 1.0}, seed), models({"a": 1.0, "b": 1.0}, 100 + seed), "accuracy")
        for seed in range(40)
    ]
    assert sum(len(one["swapped"]) for one in found) <= 1
