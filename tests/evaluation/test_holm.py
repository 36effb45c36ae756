"""Many comparisons in one table: Holm's correction against its definition, and how often it errs."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from distill.evaluation.bootstrap import Bootstrap
from distill.evaluation.figure import Figure
from distill.evaluation.holm import corrected, holm, is_shown
from distill.evaluation.statistics import evidence, p_value


def rejected(p_values, level):
    """Holm's procedure as he wrote it: from the smallest on, as long as p ≤ level / (those that are left)."""
    found = set()
    for rank, place in enumerate(np.argsort(p_values)):
        if p_values[place] > level / (len(p_values) - rank):
            break
        found.add(place)
    return found


@pytest.mark.parametrize("seed", range(5))
def test_adjusted_values_reject_what_the_procedure_rejects(seed):
    p_values = np.random.default_rng(seed).random(12) ** 4
    adjusted = holm(p_values.tolist())
    for level in (0.001, 0.01, 0.05, 0.2):
        assert {place for place, p in enumerate(adjusted) if p <= level} == rejected(p_values, level)


def test_known_values():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.02, None, 0.5]) == [0.04, None, 0.5] and holm([]) == [] and holm([0.7, 0.9]) == [1.0, 1.0]


def differences(gaps, seeds=1):
    """A difference of each column of gaps (N, M) between two models' rows, in 1 or more equal seeds."""
    bootstrap = Bootstrap(len(gaps), None, 200, seed=3)
    rows = bootstrap.resample(np.concatenate([gaps, np.ones((len(gaps), 1))], axis=1))
    for value, sums in zip(gaps.mean(axis=0), rows[:, :-1].T, strict=True):
        yield Figure(np.full(seeds, value), np.tile(sums / rows[:, -1], (seeds, 1)), bootstrap).mean_difference()


def test_of_many_equal_models_none_is_called_better_19_times_in_20():
    """The planted fault: without a correction most tables of 20 comparisons have one that is called a difference."""
    random = np.random.default_rng(1)
    raw, by_holm, tables = 0, 0, 120
    for _ in range(tables):
        rows = corrected(list(differences(random.normal(size=(100, 20)))))
        raw += any(row["p_value"] < 0.05 for row in rows)
        by_holm += any(map(is_shown, rows))
    assert raw > tables / 2
    assert by_holm <= tables * 0.05 + NormalDist().inv_cdf(0.999) * np.sqrt(tables * 0.05 * 0.95)


def test_a_true_difference_is_shown_among_a_hundred_comparisons():
    """Which counting 200 resamples could not: no p-value is under 2/201, and a hundred times that is 1."""
    gaps = np.random.default_rng(2).normal(size=(200, 100))
    gaps[:, 0] += 1
    rows = corrected(list(differences(gaps)))
    assert [place for place, row in enumerate(rows) if is_shown(row)] == [0]
    assert 100 * rows[0]["p_value"] > 0.9 and rows[0]["p_holm"] == rows[0]["p_value"]


def test_p_values_stay_as_they_are_beside_the_corrected_ones():
    rows = list(differences(np.random.default_rng(3).normal(size=(60, 6)) + 0.2))
    found = corrected(rows)
    assert [row["p_value"] for row in found] == [row["p_value"] for row in rows]
    assert all(row["p_value"] <= row["p_holm"] <= 1 and "evidence" not in row for row in found)
    assert list(found[0]) == ["difference", "low", "high", "p_value", "p_holm"]


def test_evidence_is_the_count_where_it_counts_and_the_normal_tail_beyond():
    random = np.random.default_rng(4)
    near, far = random.normal(1.5, 1, 1000), random.normal(5.0, 1, 1000)
    nothing = np.zeros(1000)
    assert evidence(1.5, near, nothing) == p_value(near)
    expected = 2 * NormalDist().cdf(-5.0 / far.std())
    assert evidence(5.0, far, nothing) == pytest.approx(expected) and expected < p_value(far) / 100
    noise = 2 * random.standard_t(2, 1000)  # seeds that differ: the tail is theirs
    assert evidence(5.0, far, noise) > 0.01
    assert evidence(1.0, np.ones(1000), nothing) == p_value(np.ones(1000))
    assert evidence(np.nan, np.full(9, np.nan), np.zeros(9)) is None


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        ({"p_holm": 0.049, "low": -1, "high": 1}, True),
        ({"p_holm": 0.05, "low": 1, "high": 2}, False),
        ({"low": 1, "high": 2}, True),
        ({"low": -1, "high": 2}, False),
        ({"p_holm": None, "low": None, "high": None}, False),
        ({"p_holm": float("nan"), "low": "1", "high": True}, False),
    ],
)
def test_a_difference_is_shown_by_its_corrected_p_value_and_in_older_reports_by_its_interval(row, shown):
    assert is_shown(row) == shown
