"""Figures against scikit-learn, and calibration error against a loop written from its formula."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics as reference

from distill.core.activations import log_softmax, sigmoid, softmax
from distill.core.objectives.multi_label import MultiLabel
from distill.core.objectives.objective import objective
from distill.core.objectives.single_label import SINGLE
from distill.evaluation import metrics
from distill.evaluation.bootstrap import Bootstrap

CLASSES = 4


def single(seed, rows=300, classes=CLASSES):
    """Logits that are right more often than not, and one-hot gold."""
    random = np.random.default_rng(seed)
    gold = random.integers(0, classes, rows)
    target = np.eye(classes, dtype=np.float32)[gold]
    return (random.normal(size=(rows, classes)) * 2 + target).astype(np.float32), target


def multi(seed, rows=300, classes=CLASSES):
    random = np.random.default_rng(seed)
    target = (random.random((rows, classes)) < 0.3).astype(np.float32)
    return (random.normal(size=(rows, classes)) * 2 + target - 0.5).astype(np.float32), target


def ece_by_loop(confidence, correct):
    """Guo et al. 2017, equation 3, one decision at a time."""
    total = 0.0
    for bin_number in range(1, metrics.ECE_BINS + 1):
        low, high = (bin_number - 1) / metrics.ECE_BINS, bin_number / metrics.ECE_BINS
        inside = [i for i, value in enumerate(confidence) if low < value <= high]
        if inside:
            gap = np.mean([correct[i] for i in inside]) - np.mean([confidence[i] for i in inside])
            total += len(inside) / len(confidence) * abs(gap)
    return total


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("make", "kind"), [(single, "single"), (multi, "multi")])
def test_accuracy_and_per_class_figures_equal_sklearn(make, kind, seed):
    (logits, target), own = make(seed), objective(kind, CLASSES)
    gold, predicted = target, own.decisions(logits)
    precision, recall, f1, _ = reference.precision_recall_fscore_support(gold, predicted, average=None, zero_division=0)
    total = metrics.tally(logits, target, own).total()
    np.testing.assert_allclose(total.precision, precision)
    np.testing.assert_allclose(total.recall, recall)
    np.testing.assert_allclose(total.f1, f1)
    assert metrics.f1_macro(logits, target, own) == pytest.approx(f1.mean())
    assert metrics.accuracy(logits, target, own) == pytest.approx(reference.accuracy_score(gold, predicted))


@pytest.mark.parametrize("seed", [0, 3])
def test_grades_equal_sklearn(seed):
    logits, target = single(seed)
    gold, predicted = target.argmax(1), logits.argmax(1)
    total = metrics.tally(logits, target).total()
    assert total.kappa_quadratic == pytest.approx(reference.cohen_kappa_score(gold, predicted, weights="quadratic"))
    assert total.grade_distance == pytest.approx(reference.mean_absolute_error(gold, predicted))
    # A scale has an order: the same answers under permuted labels are another figure, while macro F1 is the same.
    order = [2, 0, 3, 1]
    moved = metrics.tally(logits[:, order], target[:, order]).total()
    assert moved.f1_macro == pytest.approx(total.f1_macro) and moved.grade_distance != total.grade_distance


def test_of_one_grade_alone_kappa_is_not_defined():
    target = np.eye(3)[[1, 1, 1]]
    total = metrics.tally(target, target).total()
    assert np.isnan(total.kappa_quadratic) and total.grade_distance == 0


def test_log_loss_equals_sklearn():
    logits, target = single(2)
    expected = reference.log_loss(target.argmax(1), softmax(logits), labels=range(CLASSES))
    assert metrics.log_loss(logits, target) == pytest.approx(expected)


def test_multi_label_log_loss_is_the_mean_of_binary_ones():
    logits, target = multi(3)
    chances = sigmoid(logits)
    binary = [reference.log_loss(target[:, c], chances[:, c], labels=[0, 1]) for c in range(CLASSES)]
    assert metrics.log_loss(logits, target, MultiLabel()) == pytest.approx(np.mean(binary))


def test_log_loss_against_votes_is_cross_entropy_with_the_distribution():
    logits, votes = np.array([[2.0, 0.0, -1.0]]), np.array([[0.2, 0.5, 0.3]])
    expected = -(votes * np.log(softmax(logits))).sum()
    assert metrics.log_loss(logits, votes) == pytest.approx(expected)
    assert metrics.log_loss(logits, votes) != pytest.approx(metrics.log_loss(logits, np.array([[0.0, 1.0, 0.0]])))


def test_votes_count_by_their_argmax_and_the_first_of_equals():
    logits = np.array([[0.0, 3.0, 0.0], [0.0, 3.0, 0.0], [0.0, 3.0, 0.0]])
    votes = np.array([[0.2, 0.5, 0.3], [0.5, 0.5, 0.0], [0.0, 0.5, 0.5]])
    assert metrics.accuracy(logits, votes) == pytest.approx(2 / 3)


def test_ece_equals_the_formula():
    logits, target = single(4)
    chances = softmax(logits)
    expected = ece_by_loop(chances.max(1), chances.argmax(1) == target.argmax(1))
    assert metrics.ece(logits, target) == pytest.approx(expected)


def test_multi_label_ece_bins_every_decision():
    logits, target = multi(5)
    chances = sigmoid(logits).ravel()
    expected = ece_by_loop(np.maximum(chances, 1 - chances), (chances >= 0.5) == target.ravel())
    assert metrics.ece(logits, target, MultiLabel()) == pytest.approx(expected)


def test_ece_sees_over_confidence():
    logits, target = single(6)
    assert metrics.ece(logits * 10, target) > metrics.ece(logits, target) + 0.05


def test_opposite_errors_in_one_bin_cancel_but_not_across_bins():
    sure, unsure = np.log([0.99, 0.01]), np.log([0.51, 0.49])
    one_bin = metrics.ece(np.stack([unsure, unsure]), np.eye(2))
    two_bins = metrics.ece(np.stack([sure, unsure]), np.eye(2)[[1, 0]])
    assert one_bin == pytest.approx(0.01)
    assert two_bins == pytest.approx((0.99 + 0.49) / 2)


def test_a_confidence_on_a_border_belongs_to_the_bin_below():
    right = np.array([[True]])
    gaps = metrics._calibration_gaps(np.array([[0.6]]), right)
    assert np.flatnonzero(gaps).tolist() == [8]


def test_a_class_never_predicted_counts_as_zero():
    target = np.eye(3)[[0, 1, 2, 0]]
    logits = np.eye(3)[[0, 1, 1, 0]]
    total = metrics.tally(logits, target).total()
    assert total.precision[2] == total.recall[2] == total.f1[2] == 0.0
    assert float(total.f1_macro) == pytest.approx((1 + 2 / 3 + 0) / 3)


def test_weighted_f1_is_that_of_scikit_learn_and_undefined_without_rows():
    logits, target = single(7)
    expected = reference.f1_score(target.argmax(1), logits.argmax(1), average="weighted")
    assert float(metrics.tally(logits, target).total().f1_weighted) == pytest.approx(expected)
    assert np.isnan(metrics.tally(np.zeros((0, 3)), np.zeros((0, 3))).total().f1_weighted)


def test_a_class_that_the_rows_lack_stays_in_the_macro_mean():
    target = np.eye(3)[[0, 1]]
    assert metrics.f1_macro(target, target) == pytest.approx(2 / 3)


def test_a_class_that_only_a_resample_lacks_says_nothing_there():
    gold, predicted = np.array([0, 0, 1, 3]), np.array([0, 1, 1, 1])
    rows = metrics.tally(np.eye(4)[predicted], np.eye(4)[gold])
    whole = rows.total()
    assert float(whole.f1_macro) == pytest.approx((2 / 3 + 1 / 2 + 0 + 0) / 4)
    has = ~whole.absent
    draw = metrics.Tally(rows.columns[[0, 0, 1, 3]].sum(axis=0), has)
    # Classes 0 and 3 are drawn, of the three that the rows have and the four of the task.
    assert float(draw.f1_macro) == pytest.approx((4 / 5 + 0) / 2 * 3 / 4)
    np.testing.assert_array_equal(np.isnan(draw.f1), [False, True, True, False])
    np.testing.assert_array_equal(np.isnan(draw.recall), [False, True, True, False])
    np.testing.assert_array_equal(np.isnan(draw.precision), [False, False, True, True])
    again = metrics.Tally(whole.columns, has)
    assert float(again.f1_macro) == float(whole.f1_macro)


def test_no_rows_have_no_figures():
    total = metrics.tally(np.zeros((0, 3)), np.zeros((0, 3))).total()
    assert np.isnan([total.accuracy, total.log_loss, total.ece]).all()


def test_leading_axes_are_kept():
    rows = metrics.tally(*single(8))
    both = metrics.Tally(np.stack([rows.only(np.arange(300) < 100).total().columns, rows.total().columns]))
    assert both.f1.shape == (2, CLASSES) and both.ece.shape == both.f1_macro.shape == (2,)
    np.testing.assert_allclose(both.f1[1], rows.total().f1)


@pytest.mark.parametrize("target", [np.zeros((2, 4)), np.zeros(3), np.zeros((3, 3))])
def test_shapes_must_agree(target):
    with pytest.raises(ValueError, match=r"\(2, 3\)"):
        metrics.tally(np.zeros((2, 3)), target)


@pytest.mark.parametrize(("make", "kind"), [(single, "single"), (multi, "multi")])
def test_a_mixture_has_the_weighted_mean_of_the_probabilities(make, kind):
    parts, weights = [make(seed)[0] for seed in (1, 2, 3)], [2.0, 0.5, 1.5]
    expected = sum(w * objective(kind, CLASSES).probabilities(z) for z, w in zip(parts, weights, strict=True)) / 4
    for scale in (1, 10):
        mixed = metrics.mixture(parts, [scale * weight for weight in weights], objective(kind, CLASSES))
        np.testing.assert_allclose(objective(kind, CLASSES).probabilities(mixed), expected, rtol=1e-9)
    # Not the mean of the logits, which is another model.
    mean = np.einsum("m,mnc->nc", np.array(weights) / 4, parts)
    assert not np.allclose(expected, objective(kind, CLASSES).probabilities(mean))


def test_a_mixture_of_one_is_that_one():
    logits = single(4)[0] * 1e3
    assert metrics.mixture([logits], [0.3], SINGLE).tolist() == logits.astype(float).tolist()


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_certain_answers_mix_to_finite_logits(kind):
    certain = np.array([[1e4, -1e4, -1e4]])
    mixed = metrics.mixture([certain, certain], [1, 1], objective(kind, CLASSES))
    assert np.isfinite(mixed).all()
    np.testing.assert_allclose(objective(kind, CLASSES).probabilities(mixed), [[1, 0, 0]], atol=1e-11)


@pytest.mark.parametrize(("kind", "shares"), [("single", [0.6, 0.3, 0.1]), ("multi", [0.9, 0.5, 0.2])])
def test_shares_come_back_from_their_logits(kind, shares):
    found = objective(kind, CLASSES).logits(shares)
    np.testing.assert_allclose(objective(kind, CLASSES).probabilities(found[None])[0], shares)


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_a_class_without_rows_has_a_prior_all_the_same(kind):
    logits = metrics.prior_logits([1.0, 0.0], objective(kind, CLASSES))
    chances = objective(kind, CLASSES).probabilities(logits[None])[0]
    np.testing.assert_allclose(chances, [1, 1e-6], rtol=1e-5)
    assert -np.log(chances[1]) == pytest.approx(13.8, abs=0.05)


def test_the_log_loss_of_the_priors_is_the_entropy_of_the_gold():
    _, target = single(5)
    shares = target.mean(axis=0)
    logits = np.tile(metrics.prior_logits(shares), (len(target), 1))
    assert metrics.log_loss(logits, target) == pytest.approx(-(shares * np.log(shares)).sum())


finite = st.floats(-1e4, 1e4, width=32)
arrays = hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=6), elements=finite)


@given(arrays)
def test_large_logits_stay_finite(logits):
    chances = softmax(logits)
    np.testing.assert_allclose(chances.sum(axis=1), 1.0)
    assert np.isfinite(log_softmax(logits)).all()
    assert ((sigmoid(logits) >= 0) & (sigmoid(logits) <= 1)).all()


@given(arrays, st.integers(0, 5), st.sampled_from(["single", "multi"]))
def test_every_figure_lies_in_its_range_and_sums_are_additive(logits, gold, kind):
    target = np.eye(6)[[gold] * len(logits)][:, : logits.shape[1]]
    rows = metrics.tally(logits, target, objective(kind, CLASSES))
    total = rows.total()
    for figure in (total.accuracy, total.ece, total.f1_macro, *total.precision, *total.recall):
        assert 0.0 <= figure <= 1.0 + 1e-9
    assert total.log_loss >= 0.0
    half = np.arange(len(logits)) % 2 == 0
    parts = rows.only(half).total().columns + rows.only(~half).total().columns
    # Gaps of opposite signs leave 1e-17 or 0, by the order of the sum.
    np.testing.assert_allclose(parts, total.columns, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize(("make", "kind"), [(single, "single"), (multi, "multi")])
def test_what_rows_add_by_class_takes_a_byte_and_adds_up_as_numbers_do(make, kind):
    (logits, target), own, draws = make(5, classes=60), objective(kind, 60), Bootstrap(300, None, 20)
    rows = metrics.tally(logits, target, own)
    assert rows.single.nbytes + rows.by_class.nbytes == 300 * (8 * 20 + 3 * 60)
    predicted, gold = own.decisions(logits.astype(np.float64)), own.gold_decisions(target.astype(np.float64))
    numbers = np.hstack([rows.single, *(part.astype(np.float64) for part in (predicted & gold, predicted, gold))])
    np.testing.assert_allclose(rows.total().columns, numbers.sum(axis=0), rtol=0, atol=1e-12)
    np.testing.assert_allclose(draws.resample(rows.columns), draws.resample(numbers), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(rows.of_class(7).columns, numbers[:, [*range(20), 27, 87, 147]])
    some = np.arange(300) % 3 == 0
    np.testing.assert_array_equal(rows.only(some).columns, numbers[some])
    np.testing.assert_array_equal(rows.of_class(7).total().columns, rows.total().of_class(7).columns)
