"""Temperature scaling: a planted temperature comes back, and the answer is the minimum."""

import numpy as np
import pytest

from distill.core.activations import sigmoid, softmax
from distill.core.errors import UserError
from distill.core.objectives.multi_label import MultiLabel
from distill.core.objectives.single_label import SINGLE
from distill.evaluation.calibration import HIGHEST, LOWEST, at_bound, fit_temperature, smoothed
from distill.evaluation.metrics import accuracy, ece, log_loss


def calibrated(seed, rows=20_000):
    """Logits whose softmax is the true distribution of the gold that is drawn from it."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(rows, 3)) * 2
    gold = (softmax(logits).cumsum(axis=1) > random.random((rows, 1))).argmax(axis=1)
    return logits, np.eye(3)[gold]


@pytest.mark.parametrize("planted", [0.3, 1.0, 4.0])
def test_a_planted_temperature_comes_back(planted):
    logits, target = calibrated(0)
    assert fit_temperature(logits * planted, target) == pytest.approx(planted, rel=0.03)


def test_a_planted_temperature_comes_back_in_multi_label():
    random = np.random.default_rng(1)
    logits = random.normal(size=(10_000, 3)) * 2
    target = random.random(logits.shape) < sigmoid(logits)
    assert fit_temperature(logits * 2.5, target, MultiLabel()) == pytest.approx(2.5, rel=0.03)


def test_a_temperature_at_its_bound_is_told():
    logits, target = calibrated(3, rows=300)
    faint, useless = target * 0.01, np.random.default_rng(0).normal(size=target.shape) * 99
    assert at_bound(fit_temperature(faint, target)) and at_bound(fit_temperature(useless, target))
    assert not at_bound(fit_temperature(logits, target))
    assert [at_bound(t) for t in (LOWEST, HIGHEST, 0.0501, 19.9)] == [True, True, False, False]


@pytest.mark.parametrize("rows", [50, 69, 400])
def test_rows_that_are_all_right_are_believed_as_far_as_their_number_allows(rows):
    """Two classes, all rows apart by the same margin: what is served is Platt's (N + 1) / (N + 2)."""
    target = np.eye(2)[np.arange(rows) % 2]
    temperature = fit_temperature(6 * target, target)
    assert softmax(6 * target / temperature).max(axis=1) == pytest.approx((rows + 1) / (rows + 2), rel=1e-6)
    several = fit_temperature(12 * target - 6, target, MultiLabel())  # a yes and a no of each row
    assert sigmoid(6 / several) == pytest.approx((2 * rows + 1) / (2 * rows + 2), rel=1e-6)


def test_smoothed_gold_of_many_classes_is_a_distribution():
    found = smoothed(np.array([[1.0, 0, 0, 0], [0, 0.5, 0.5, 0]]), SINGLE)
    assert found[0].tolist() == pytest.approx([3 / 4, 1 / 12, 1 / 12, 1 / 12])
    assert found.sum(axis=1).tolist() == pytest.approx([1, 1])


@pytest.mark.parametrize(("objective", "classes"), [(SINGLE, 2), (SINGLE, 77), (MultiLabel(), 20)])
def test_with_thousands_of_rows_and_ordinary_errors_smoothing_moves_the_third_digit_only(objective, classes):
    random = np.random.default_rng(0)
    logits = random.normal(size=(3000, classes)) * 3 - (4 if objective.several else 0)
    if objective.several:
        target = (random.random(logits.shape) < sigmoid(logits)).astype(np.float64)
    else:
        target = np.eye(classes)[(softmax(logits).cumsum(axis=1) > random.random((3000, 1))).argmax(axis=1)]
    found = fit_temperature(1.7 * logits, target, objective)
    others = np.geomspace(found * 0.99, found * 1.01, 101)
    plain = min(others, key=lambda t: log_loss(1.7 * logits / t, target, objective))
    assert found == pytest.approx(plain, rel=0.005)


def test_no_other_temperature_has_a_lower_log_loss():
    logits, gold = calibrated(2, rows=500)
    best, target = fit_temperature(logits, gold), smoothed(gold, SINGLE)
    others = np.geomspace(LOWEST, HIGHEST, 400)
    assert log_loss(logits / best, target) <= min(log_loss(logits / t, target) for t in others) + 1e-9


def test_votes_are_fitted_as_a_distribution():
    logits, _ = calibrated(3, rows=20_000)
    assert fit_temperature(logits * 3, softmax(logits)) == pytest.approx(3.0, rel=1e-3)


def test_it_calibrates_without_changing_answers():
    logits, target = calibrated(4)
    over = logits * 3
    scaled = over / fit_temperature(over, target)
    assert accuracy(scaled, target) == accuracy(over, target)
    assert ece(scaled, target) < 0.02 < ece(over, target)


@pytest.mark.parametrize(("sign", "bound"), [(1.0, LOWEST), (-1.0, HIGHEST)])
def test_rows_without_a_minimum_end_at_a_bound(sign, bound):
    target = np.eye(3)
    assert fit_temperature(sign * target / 100, target) == pytest.approx(bound, rel=1e-3)


def test_no_rows_are_a_user_error():
    with pytest.raises(UserError, match=r"0 rows"):
        fit_temperature(np.zeros((0, 3)), np.zeros((0, 3)))
