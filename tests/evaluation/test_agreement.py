"""Agreement of judges: kappa against a textbook's example, weights, disagreements."""

import numpy as np
import pytest

from distill.evaluation.agreement import cohens_kappa, confusion, judges, weighted_share


def test_kappa_is_that_of_the_textbook():
    assert cohens_kappa(np.array([[20.0, 5], [10, 15]])) == pytest.approx(0.4)
    assert cohens_kappa(np.array([[8.0, 0], [0, 0]])) is None and cohens_kappa(np.zeros((2, 2))) is None
    assert cohens_kappa(np.array([[0.0, 3], [3, 0]])) == pytest.approx(-1)


def test_rows_count_by_their_weights():
    table = confusion([0, 0, 1], [0, 1, 1], np.array([2.0, 3.0, 5.0]), 2)
    assert table.tolist() == [[2, 3], [0, 5]]
    found = weighted_share([True, False, True], np.array([2.0, 3.0, 5.0]))
    assert found["value"] == 0.7 and found["low"] < 0.5 and found["high"] > 0.8
    assert weighted_share([], np.zeros(0))["value"] is None


def test_two_judges_are_compared_row_by_row():
    found = judges(["a", "b", "c"], ["да", "да", "нет"], ["да", "нет", "нет"], ("да", "нет"))
    assert found["disagreements"] == [{"id": "b", "first": "да", "second": "нет"}]
    assert found["agreement"]["value"] == pytest.approx(2 / 3) and found["kappa"] == pytest.approx(0.4)
