"""What a diagnosis of the choice by validation says where it ranks well, and where by chance."""

import numpy as np
import pytest

from distill.core.errors import UserError
from distill.core.files import write_json
from distill.evaluation.selection import MetricOf, diagnose, ranked

NAMES = [f"m{number}" for number in range(12)]


def figures(quality, noise, seed):
    """Figures around a true quality (M,), and draws of rows that move each of them by chance."""
    draw = np.random.default_rng(seed)
    values = quality + noise * draw.normal(size=len(quality))
    return MetricOf(values, values + noise * draw.normal(size=(500, len(quality))))


@pytest.mark.parametrize("apart", [0.05, 0.0])
def test_a_ranking_is_better_than_chance_where_models_differ_and_not_where_they_are_equal(apart):
    quality = 0.7 + apart * np.arange(12)
    found = ranked(NAMES, figures(quality, 0.01, 1), figures(quality, 0.01, 2))
    for name in ("spearman", "kendall"):
        assert (found[name]["low"] > 0) == (apart > 0)
    assert (found["over_random"]["low"] > 0) == (apart > 0)


def test_what_was_lost_is_the_gap_to_the_best_on_test():
    valid, test = np.array([0.9, 0.8, 0.7]), np.array([0.6, 0.75, 0.5])
    found = ranked(
        ["a", "b", "c"], MetricOf(valid, valid[None] * np.ones((9, 1))), MetricOf(test, test * np.ones((9, 3)))
    )
    assert (found["chosen"], found["best"]) == ("a", "b")
    assert found["lost"]["value"] == pytest.approx(0.15)
    assert found["over_random"]["value"] == pytest.approx(0.6 - test.mean())
    assert found["spearman"]["value"] == pytest.approx(0.5)


def test_runs_of_other_labels_are_refused_with_both(tmp_path):
    runs = [tmp_path / "two", tmp_path / "three"]
    for run, labels in zip(runs, (["no", "yes"], ["no", "maybe", "yes"]), strict=True):
        write_json(run / "run.json", {"config": {"task": {"labels": labels}}, "stages": []})
    with pytest.raises(UserError, match=r"other labels[\s\S]*no, maybe, yes[\s\S]*has no, yes"):
        diagnose(runs)
