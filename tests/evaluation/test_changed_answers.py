import numpy as np
import pytest

from distill.core.objectives.objective import objective
from distill.evaluation.changed_answers import Point, Points, Reading, changed_answers, choose_points

LABELS = ("no", "maybe", "yes")
SINGLE = objective("single", 3)
POINTS = Points(2.0, [Point(2, "f1", 0.5), Point(0, "recall@P>=0.9", 0.9)])


def logits(rows, seed=3):
    return np.random.default_rng(seed).normal(0, 4, (rows, 3)).astype(np.float32)


def gold(values):
    return np.eye(3, dtype=np.float32)[values.argmax(axis=1)]


def changed(before, after, target=None, points=POINTS):
    return changed_answers(before, after, Reading(SINGLE, LABELS, points, target))


def test_equal_logits_change_nothing():
    before = logits(50)
    assert changed(before, before, gold(before)) == {
        "flips": 0.0,
        "shift_max": 0.0,
        "decisions": {"value": 0.0, "at": None},
        "class_f1": {"value": 0.0, "at": None},
    }


def test_figures_are_those_of_the_formulas():
    before, after = logits(400), logits(400) + logits(400, seed=4) / 4
    target = gold(logits(400) + logits(400, seed=5))
    old, new = (np.exp(one / 2) / np.exp(one / 2).sum(axis=1, keepdims=True) for one in (before, after))
    found = changed(before, after, target)
    assert found["flips"] == (before.argmax(axis=1) != after.argmax(axis=1)).mean()
    assert found["shift_max"] == pytest.approx(np.abs(old - new).max(), abs=1e-6)
    shares = {
        "f1 of yes": ((old[:, 2] >= 0.5) != (new[:, 2] >= 0.5)).mean(),
        "recall@P>=0.9 of no": ((old[:, 0] >= 0.9) != (new[:, 0] >= 0.9)).mean(),
    }
    at = max(shares, key=shares.get)
    assert found["decisions"] == {"value": shares[at], "at": at} and shares[at] > 0.01

    def f1(values, index):
        said, true = values.argmax(axis=1) == index, target.argmax(axis=1) == index
        return 2 * (said & true).sum() / (said.sum() + true.sum())

    lost = {label: f1(before, index) - f1(after, index) for index, label in enumerate(LABELS)}
    at = max(lost, key=lost.get)
    assert found["class_f1"]["at"] == at and found["class_f1"]["value"] == pytest.approx(lost[at])


def test_three_times_the_logits_keep_labels_and_change_decisions():
    before = logits(300) / 3
    found = changed(before, 3 * before, gold(before))
    assert found["flips"] == found["class_f1"]["value"] == 0.0
    assert found["decisions"]["value"] > 0.05 and found["shift_max"] > 0.2


@pytest.mark.parametrize(("rows", "counts"), [(1, False), (2, True)])
def test_one_record_is_no_evidence_and_two_are(rows, counts):
    before = np.tile(np.float32([[0, 0, 9]]), (100, 1))
    after = before.copy()
    after[:rows] = [9, 0, 0]
    found = changed(before, after, gold(before))
    assert found["flips"] == rows / 100
    assert found["decisions"]["value"] == (rows / 100 if counts else 0.0)
    assert (found["class_f1"]["at"] == "yes") is counts


def test_what_is_not_finite_counts_as_another_label():
    before = logits(20)
    after = before.copy()
    after[:3] = np.nan
    assert changed(before, after)["flips"] == 0.15
    assert changed(before, after)["class_f1"] is None


def test_points_are_those_that_the_records_choose_after_the_temperature():
    values = logits(500)
    found = choose_points(values, gold(values + logits(500, seed=9)), SINGLE, (0.9, 0.9))
    assert found.temperature > 1
    assert {point.index for point in found.points} == {0, 1, 2} and len(found.points) == 9
    assert all(0 < point.least < 1 for point in found.points)
