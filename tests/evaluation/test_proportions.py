"""Intervals of shares, against the tables of textbooks and against counting."""

import math

import numpy as np
import pytest

from distill.evaluation.proportions import effective_rows, exact_lower, is_surely_above, wilson


def test_wilson_has_the_values_of_the_textbook():
    assert wilson(0.9, 10) == pytest.approx({"value": 0.9, "low": 0.5958, "high": 0.9821}, abs=1e-4)
    assert wilson(1.0, 20)["high"] == 1.0 and wilson(1.0, 20)["low"] == pytest.approx(0.8389, abs=1e-4)
    assert wilson(0.3, 0) == {"value": None, "low": None, "high": None}


@pytest.mark.parametrize(("right", "rows", "risk"), [(9, 10, 0.05), (51, 51, 0.005), (480, 500, 0.01)])
def test_the_exact_bound_is_where_so_many_right_answers_are_as_rare_as_the_risk(right, rows, risk):
    low = exact_lower(right, rows, risk)
    tail = sum(math.comb(rows, k) * low**k * (1 - low) ** (rows - k) for k in range(right, rows + 1))
    assert tail == pytest.approx(risk, rel=1e-6) and low < right / rows


def test_without_a_right_answer_nothing_is_sure():
    assert exact_lower(0, 10, 0.05) == 0.0


def test_equal_weights_count_whole_and_unequal_ones_less():
    assert effective_rows(np.full(8, 3.0)) == pytest.approx(8)
    assert 1 < effective_rows(np.array([10.0, 1, 1, 1])) < 2 and effective_rows(np.zeros(0)) == 0


def test_a_share_is_surely_above_another_where_its_lower_bound_is():
    for found, rows in [(1, 1), (2, 3), (3, 100), (40, 900), (100, 100)]:
        low = exact_lower(found, rows, 1e-4)
        assert is_surely_above(found, rows, low * 0.999, 1e-4) and not is_surely_above(found, rows, low * 1.001, 1e-4)
    assert is_surely_above(1, 10**5, 0.0, 1e-4) and not is_surely_above(0, 10, 0.0, 1e-4)
    assert not is_surely_above(10, 10, 1.0, 1e-4)


def test_looking_after_each_row_seldom_finds_a_share_above_its_own_value():
    drawn, ended = np.random.default_rng(1), 0
    for _ in range(200):
        found = np.cumsum(drawn.random(2000) < 0.02)
        ended += any(
            is_surely_above(int(found[row]), int(row) + 1, 0.02, 1e-4) for row in np.flatnonzero(np.diff(found))
        )
    assert ended <= 4  # of 200; of bounds that hold at one look alone, 1 in 10,000
