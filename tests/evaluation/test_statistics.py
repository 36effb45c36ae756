"""Resampling: intervals cover, equal models are called equal, clusters and pairs matter."""

import numpy as np
import pytest

from distill.core.activations import softmax
from distill.core.errors import UserError
from distill.evaluation.bootstrap import Bootstrap
from distill.evaluation.metrics import Tally, ece, tally
from distill.evaluation.statistics import difference, ece_interval, interval, p_value, student_t, whole_interval


def mean_of(sums):
    """Columns (rows, total) to their mean."""
    return sums[..., 1] / sums[..., 0]


def columns(values):
    return np.stack([np.ones(len(values)), values], axis=1)


def interval_of(values, clusters=None, seed=1, replicates=400):
    resampled = Bootstrap(len(values), clusters, replicates, seed).resample(columns(values))
    return interval(np.mean(values), mean_of(resampled))


def width(found):
    return found["high"] - found["low"]


def test_resampled_sums_equal_a_slow_loop():
    random = np.random.default_rng(0)
    clusters, values = random.integers(0, 40, 200), random.normal(size=(200, 3))
    bootstrap = Bootstrap(200, clusters, replicates=120, seed=3)
    names = np.unique(clusters)
    weights = np.concatenate(list(bootstrap.weights()))
    slow = [
        sum(w * values[clusters == name].sum(axis=0) for w, name in zip(row, names, strict=True)) for row in weights
    ]
    assert (weights.sum(axis=1) == len(names)).all() and weights.shape == (120, len(names))
    assert weights.any(axis=0).all()
    np.testing.assert_allclose(bootstrap.resample(values), np.array(slow))


def test_weights_drawn_again_equal_weights_kept(monkeypatch):
    values = columns(np.arange(100.0))
    kept = Bootstrap(100).resample(values)
    monkeypatch.setattr("distill.evaluation.bootstrap._KEEP_BYTES", 0)
    drawn = Bootstrap(100)
    np.testing.assert_array_equal(drawn.resample(values), kept)
    np.testing.assert_array_equal(drawn.resample(values), kept)
    assert not np.array_equal(Bootstrap(100, seed=2).resample(values), kept)


def test_the_interval_of_a_mean_is_the_textbook_one():
    values = np.random.default_rng(1).normal(size=2000)
    found = interval_of(values, replicates=2000)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert found["value"] == pytest.approx(values.mean())
    assert (found["low"], found["high"]) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.1 * half)


def test_intervals_cover_the_truth_about_19_times_in_20():
    random = np.random.default_rng(2)
    sets = [interval_of((random.random(200) < 0.8).astype(float), seed=s) for s in range(300)]
    covered = np.mean([found["low"] <= 0.8 <= found["high"] for found in sets])
    assert 0.91 <= covered <= 0.98


def test_duplicated_rows_widen_the_interval_only_when_their_clusters_are_known():
    values = np.random.default_rng(3).normal(size=300)
    copied, clusters = np.repeat(values, 9), np.repeat(np.arange(300), 9)
    assert width(interval_of(copied, clusters)) == pytest.approx(width(interval_of(values)), rel=0.01)
    assert width(interval_of(copied, clusters)) > 2.5 * width(interval_of(copied))


def test_cluster_ids_are_only_names():
    values = np.random.default_rng(4).normal(size=200)
    ids = np.repeat(np.arange(50), 4)
    assert interval_of(values, ids) == interval_of(values, ids * 1000 - 7)


def two_models(random, rows=400, better=0.0):
    """Correctness of two models that agree on most rows; the second is right more often by `better`."""
    easy = random.random(rows) < 0.7
    return [np.where(easy, 1.0, random.random(rows) < 0.4 + gain) for gain in (0.0, better / 0.3)]


def compared(a, b, seed):
    bootstrap = Bootstrap(len(a), None, 400, seed)
    resampled = [mean_of(bootstrap.resample(columns(values))) for values in (a, b)]
    return difference(a.mean() - b.mean(), resampled[0] - resampled[1])


def test_equal_models_are_told_apart_at_about_the_nominal_rate():
    random = np.random.default_rng(5)
    found = [compared(*two_models(random), seed) for seed in range(300)]
    assert 0.01 <= np.mean([one["p_value"] <= 0.05 for one in found]) <= 0.10
    assert 0.01 <= np.mean([not one["low"] <= 0 <= one["high"] for one in found]) <= 0.10


def test_equal_models_on_clustered_rows_need_the_clusters():
    """The planted fault: ignoring that each row is there six times rejects far too often."""
    random = np.random.default_rng(6)

    def rejected(clusters, seed):
        a, b = (np.repeat(values, 6) for values in two_models(random, rows=150))
        bootstrap = Bootstrap(len(a), clusters, 300, seed)
        gaps = mean_of(bootstrap.resample(columns(a))) - mean_of(bootstrap.resample(columns(b)))
        return p_value(gaps) <= 0.05

    known = np.mean([rejected(np.repeat(np.arange(150), 6), seed) for seed in range(200)])
    ignored = np.mean([rejected(None, seed) for seed in range(200)])
    assert 0.01 <= known <= 0.10 < 0.25 < ignored


def test_a_better_model_is_found():
    found = compared(*two_models(np.random.default_rng(7), rows=2000, better=0.1), seed=1)
    assert found["high"] < 0 and found["p_value"] < 0.01


def test_pairs_make_the_interval_narrower():
    """By √(1 − ρ): sharing the easy rows correlates the two models with ρ = 0.7·0.3·0.6² / (0.82·0.18) = 0.51."""
    a, b = two_models(np.random.default_rng(8), rows=5000)
    paired = compared(a, b, seed=1)
    first, second = (mean_of(Bootstrap(len(a), None, 400, s).resample(columns(v))) for s, v in ((1, a), (2, b)))
    unpaired = difference(a.mean() - b.mean(), first - second)
    assert width(paired) / width(unpaired) == pytest.approx(np.sqrt(1 - 0.51), rel=0.12)


def test_a_model_does_not_differ_from_itself():
    a, _ = two_models(np.random.default_rng(9))
    assert compared(a, a, seed=1) == {"difference": 0.0, "low": 0.0, "high": 0.0, "p_value": 1.0}


def test_p_value_counts_both_sides_and_is_never_zero():
    assert p_value(np.full(999, 1.0)) == pytest.approx(2 / 1000)
    assert p_value(np.array([-1.0, 1.0, 1.0])) == 1.0
    assert p_value(np.array([-1.0] + [1.0] * 98)) == pytest.approx(0.04)
    assert p_value(np.array([np.nan])) is None


def test_a_share_of_no_gain_has_no_interval():
    """Up to one resample in 40 without a gain is left out; more of them are a tail that has no end."""
    resampled = np.linspace(0.4, 0.6, 200)
    assert whole_interval(0.5, resampled) == interval(0.5, resampled)
    few, many = resampled.copy(), resampled.copy()
    few[:5], many[:6] = np.nan, np.nan
    assert whole_interval(0.5, few) == interval(0.5, few)
    assert whole_interval(0.5, many) == {"value": 0.5, "low": None, "high": None}
    assert whole_interval(np.nan, many) == {"value": None, "low": None, "high": None}


def test_undefined_resamples_are_left_out():
    found = interval(0.5, np.array([np.nan, 0.4, 0.6]))
    assert found["low"] == pytest.approx(0.405) and found["high"] == pytest.approx(0.595)
    assert interval(np.nan, np.array([0.5])) == {"value": None, "low": None, "high": None}
    assert interval(0.5, np.array([np.nan])) == {"value": 0.5, "low": None, "high": None}


def test_the_calibration_interval_is_not_fooled_by_its_own_noise():
    """Percentiles of a calibrated model's error are above the truth; the reflected interval holds it more often."""
    random = np.random.default_rng(10)
    held = {"percentile": 0, "reflected": 0}
    for seed in range(40):
        logits = random.normal(size=(500, 3))
        gold = (softmax(logits).cumsum(axis=1) > random.random((500, 1))).argmax(axis=1)
        rows = tally(logits, np.eye(3)[gold])
        value, resampled = rows.total().ece, Tally(Bootstrap(500, None, 200, seed).resample(rows.columns)).ece
        plain, reflected = interval(value, resampled), ece_interval(value, resampled)
        held["percentile"] += plain["low"] <= 0.005
        held["reflected"] += reflected["low"] <= 0.005
        assert 0 <= reflected["low"] <= value <= reflected["high"]
        assert value == pytest.approx(ece(logits, np.eye(3)[gold]))
    assert held["percentile"] == 0 and held["reflected"] >= 20


@pytest.mark.parametrize(("clusters", "advice"), [(None, "more rows"), (np.arange(29), "data.keys")])
def test_under_30_clusters_there_is_no_interval(clusters, advice):
    with pytest.raises(UserError, match="29 clusters in 29 rows") as error:
        Bootstrap(29, clusters)
    assert advice in str(error.value) and "30" in str(error.value)
    assert Bootstrap(30).clusters == 30


def test_rows_must_be_those_of_the_bootstrap():
    with pytest.raises(ValueError, match=r"\(40, M\)"):
        Bootstrap(40).resample(np.zeros((41, 2)))
    with pytest.raises(ValueError, match=r"shape \(40,\)"):
        Bootstrap(40, np.zeros(41))


@pytest.mark.parametrize(("degrees", "point"), [(2, 4.302653), (29, 2.045230), (1e9, 1.959964)])
def test_students_97_5_percent_point(degrees, point):
    assert student_t(degrees) == pytest.approx(point, abs=1e-6)
