"""What few rows can tell: the width of an interval at best, and the clusters that gates need for it."""

from __future__ import annotations

import numpy as np
import pytest

from distill.core.few_rows import enough_clusters, half_width, hardly_passed, majority_gain
from distill.core.project import Gates


def passed(clusters, truth, required, seed=1, draws=4000):
    """How many of the draws pass: pairs of models that differ on a twentieth of the clusters, by `truth` in all."""
    shares = [(0.05 + truth) / 2, (0.05 - truth) / 2, 0.95]
    only_a, only_b, _ = np.random.default_rng(seed).multinomial(clusters, shares, draws).T
    gap = (only_a - only_b) / clusters
    deviation = np.sqrt(((only_a + only_b) / clusters - gap**2) / clusters)
    return float((gap - 1.96 * deviation >= required).mean())


def test_the_width_is_that_of_models_that_differ_on_a_twentieth():
    assert half_width(60) == pytest.approx(0.0566, abs=1e-4)
    drawn = np.random.default_rng(1).multinomial(400, [0.025, 0.025, 0.95], 4000) / 400
    assert half_width(400) == pytest.approx(1.96 * (drawn[:, 0] - drawn[:, 1]).std(), rel=0.03)


def test_from_enough_clusters_on_the_best_student_passes_in_four_runs_of_five():
    enough = enough_clusters(Gates(), 1.0)
    assert enough == {"over_gold": 246, "retention_card": 157}
    assert 0.77 < passed(enough["over_gold"], 0.03, -0.01) < 0.87
    assert 0.77 < passed(enough["retention_card"], 0.0, -0.05) < 0.83
    assert passed(60, 0.0, -0.05) < 0.6


def test_a_gain_over_half_as_much_needs_four_times_the_clusters_and_gates_that_are_off_or_out_of_reach_none():
    assert enough_clusters(Gates(), 0.5)["retention_card"] == pytest.approx(4 * 157, abs=2)
    assert enough_clusters(Gates(retention_card=1.0, over_gold=None), 0.5) == {}


@pytest.mark.parametrize(
    ("rows", "several", "gain"), [([60, 40], False, 0.625), ([10] * 77, False, 0.9997), ([5, 5, 0], False, 2 / 3)]
)
def test_the_gain_is_over_the_largest_class(rows, several, gain):
    assert majority_gain(rows, several=several) == pytest.approx(gain, abs=1e-3)
    assert majority_gain(rows, several=True) == 1.0


def test_the_gates_that_hardly_pass_are_named_with_what_helps_and_what_is_not_proven():
    enough = enough_clusters(Gates(), 0.625)
    said = hardly_passed(300, enough)
    assert said is not None and "300 test rows" in said and "±2.5 points" in said
    assert "gates.retention_card about 402" in said and "over_gold" not in said and "how much of the card" in said
    assert (
        "over_gold about 246" in str(hardly_passed(200, enough, "values of id")) and hardly_passed(402, enough) is None
    )
