"""Drawing rows to check, and rows worth a label."""

from collections import Counter

import numpy as np
import pytest

from distill.core.sheets.draw import Labelled, draw, strata, weights
from distill.core.sheets.propose import DISPUTED, UNCERTAIN, UNCOVERED, Proposals, divergence, propose


def _rows(count=300, seed=0):
    random = np.random.default_rng(seed)
    stages = ["many"] * (count - 30) + ["few"] * 30
    return Labelled([f"r{i}" for i in range(count)], stages, random.integers(0, 2, count), random.random(count))


def test_rare_stages_and_every_band_and_class_are_seen():
    rows = _rows()
    drawn = draw(rows, 60, 1)
    assert len(set(drawn)) == 60 and Counter(rows.stages[place] for place in drawn) == {"many": 30, "few": 30}
    own = strata(rows)
    assert Counter(own[place] for place in drawn if rows.stages[place] == "many") == dict.fromkeys(
        {one for one in own if one[0] == "many"}, 5
    )
    assert draw(rows, 60, 1) == drawn != draw(rows, 60, 2) and len(draw(rows, 999, 1)) == 300


def test_the_order_tells_nothing_of_the_stage():
    rows = _rows(60)
    order = [rows.stages[place] for place in draw(rows, 60, 1)]
    assert "many" in order[:20] and "few" in order[:20] and order != sorted(order) != order[::-1]


def test_equal_confidence_is_one_band():
    assert {band for _, _, band in strata(Labelled(["a", "b"], ["", ""], np.zeros(2, int), np.full(2, 0.7)))} == {0}


def test_drawn_rows_stand_for_the_pool_and_unseen_strata_for_their_stage():
    sizes = {("a", 0, 0): 80, ("a", 1, 0): 10, ("a", 1, 1): 10, ("b", 0, 0): 50}
    drawn = [("a", 0, 0), ("a", 0, 0), ("a", 1, 0)]
    found = weights(drawn, sizes)
    np.testing.assert_allclose(found, [40 * 100 / 90, 40 * 100 / 90, 10 * 100 / 90])
    assert found.sum() == pytest.approx(100)


def _proposals(**over):
    values = {
        "ids": list("abcdef"),
        "entropy": np.array([0.1, 0.9, 0.8, 0.2, 0.0, 0.3]),
        "dispute": np.array([0.5, 0, 0, 0, 0.9, 0]),
        "slices": ["x", "x", "x", "y", "", "y"],
        "texts": [1, 2, 2, 4, 5, 6],
    }
    return Proposals(**(values | over))


def test_reasons_take_turns_and_a_text_comes_once():
    found = propose(_proposals(), 10, {"x"}, {0}, 1)
    assert [why for _, why in found[:3]] == [UNCERTAIN, DISPUTED, UNCOVERED]
    assert [place for place, why in found[:2]] == [1, 4]
    assert 2 not in [place for place, _ in found] and len({place for place, _ in found}) == len(found) == 5
    assert {place for place, why in found if why == UNCOVERED} <= {3, 5}
    assert len(propose(_proposals(), 2, {"x"}, {0}, 1)) == 2


def test_texts_with_gold_are_left_out_and_covered_slices_give_nothing():
    found = propose(_proposals(), 10, {"x", "y"}, {0, 2, 5}, 1)
    assert UNCOVERED not in {why for _, why in found} and {place for place, _ in found} == {0, 3, 5}


def test_answers_that_agree_are_no_dispute_and_opposite_ones_are_the_largest():
    assert divergence([np.array([0.9, 0.1]), np.array([0.6, 0.4])]) == 0
    opposite, near = ([np.array([a, 1 - a]), np.array([1 - a, a])] for a in (1.0, 0.6))
    assert divergence(opposite) == pytest.approx(1) and 0 < divergence(near) < 0.1
