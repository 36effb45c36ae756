"""A threshold is chosen only where labels above it are right often enough for sure."""

import numpy as np
import pytest

from distill.evaluation.thresholds import choose_threshold


def test_the_lowest_sure_threshold_is_taken():
    confidence = np.linspace(0.5, 1, 400)
    correct = (confidence > 0.75) | (np.arange(400) % 5 > 0)
    found = choose_threshold(confidence, correct, 0.9)
    assert 0.6 < found.value < 0.75 and found.right / found.taken > 0.9 <= found.low
    assert found.taken == (confidence >= found.value).sum() and found.rows == 400
    assert choose_threshold(confidence, correct, 0.95).value > found.value


@pytest.mark.parametrize("rows", [0, 50])
def test_few_rows_leave_no_threshold_however_right(rows):
    assert choose_threshold(np.linspace(0, 1, rows), np.ones(rows, bool), 0.9).value is None
    assert choose_threshold(np.linspace(0, 1, 51), np.ones(51, bool), 0.9).value is not None


def test_rows_as_sure_as_the_last_one_are_taken_with_it():
    found = choose_threshold(np.full(100, 0.7), np.ones(100, bool), 0.9)
    assert (found.value, found.taken) == (0.7, 100)


def test_answers_that_are_too_often_wrong_pass_once_in_twenty_sets_at_most():
    random = np.random.default_rng(0)
    passed = sum(
        choose_threshold(random.random(300), random.random(300) < 0.9, 0.9).value is not None for _ in range(150)
    )
    assert passed <= 0.05 * 150 + 6
