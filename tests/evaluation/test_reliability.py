"""Bins of a reliability diagram, and what two models decide differently, from logits written by hand."""

from __future__ import annotations

import numpy as np
import pytest

from distill.core.errors import UserError
from distill.core.label_space import LabelSpace
from distill.evaluation.disagreements import disagreements
from distill.evaluation.reliability import reliability
from distill.evaluation.scored import Scored

SPACE = LabelSpace(("no", "yes"))


def scored(name, chances, gold, space=SPACE):
    target = np.eye(len(space.labels), dtype=np.float32)[gold]
    return Scored(name, space, [f"r{i}" for i in range(len(gold))], np.log(np.array(chances)), target)


def test_the_mean_gap_of_the_bins_is_the_calibration_error():
    draws = np.random.default_rng(3)
    chances = draws.dirichlet((1, 1), 500)
    model = scored("8L", chances, draws.integers(0, 2, 500))
    bins = reliability([model])
    gap = sum(one["decisions"] * abs(one["right"] - one["confidence"]) for one in bins) / 500
    assert gap == pytest.approx(float(model.tally.total().ece))
    assert [one["confidence"] for one in bins] == sorted(one["confidence"] for one in bins)


def test_over_seeds_the_bins_hold_the_mean_number_of_decisions():
    one, other = scored("8L", [[0.9, 0.1]] * 4, [0, 0, 0, 1]), scored("8L", [[0.9, 0.1]] * 4, [0, 0, 0, 1])
    assert reliability([one, other]) == [
        {"decisions": 4.0, "confidence": pytest.approx(0.9), "right": pytest.approx(0.75)}
    ]


def test_who_was_right_is_counted_and_the_surest_come_first():
    gold = [0, 1, 0, 1]
    student = scored("8L@card", [[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.1, 0.9]], gold)
    teacher = scored("base@document", [[0.8, 0.2], [0.1, 0.9], [0.9, 0.1], [0.7, 0.3]], gold)
    found = disagreements(student, teacher)
    assert (found["rows"], found["differ"]) == (4, 3)
    assert (found["student_right"], found["teacher_right"], found["both_wrong"]) == (1, 2, 0)
    assert [one["id"] for one in found["examples"]] == ["r2", "r3", "r1"]
    assert found["examples"][0] == {
        "id": "r2",
        "slice": None,
        "gold": "no",
        "student": {"label": "yes", "sure": pytest.approx(0.8)},
        "teacher": {"label": "no", "sure": pytest.approx(0.9)},
    }


def test_other_rows_are_refused():
    one, other = scored("a", [[0.9, 0.1]] * 2, [0, 1]), scored("b", [[0.9, 0.1]] * 2, [0, 0])
    with pytest.raises(UserError, match="on the same rows only"):
        disagreements(one, other)
