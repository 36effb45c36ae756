"""Weights of a mixture on planted probabilities, against a search by hand."""

import numpy as np
import pytest

from distill.core.folds import fold_numbers
from distill.core.objectives.multi_label import MultiLabel
from distill.core.objectives.single_label import SINGLE
from distill.evaluation import mixing
from distill.evaluation.metrics import mixed, mixture
from distill.evaluation.mixing import FOLDS, blend, class_weights, plain_weights

ROWS = 600
GOLD = np.arange(ROWS) % 3
TARGET, CLUSTERS = np.eye(3)[GOLD], np.arange(ROWS)


def model(strength, seed, noise=1.0):
    """Probabilities (N, 3): noise, and on the gold class `strength`, one for all classes or one for each."""
    logits = np.random.default_rng(seed).normal(0, noise, (ROWS, 3))
    logits[np.arange(ROWS), GOLD] += np.broadcast_to(strength, 3)[GOLD]
    return SINGLE.probabilities(logits)


def loss(chances, weights, target=TARGET, objective=SINGLE):
    return objective.row_log_loss(objective.logits(mixed(chances, weights, objective)), target).mean()


def test_plain_weights_are_those_of_a_search():
    chances = np.stack([model(2.0, 1), model(1.5, 2)])
    weights = plain_weights(chances, TARGET, SINGLE)
    shares = np.linspace(0, 1, 1001)
    losses = [loss(chances, np.array([share, 1 - share])) for share in shares]
    assert weights.sum() == pytest.approx(1) and weights[0] == pytest.approx(shares[np.argmin(losses)], abs=2e-3)


def test_votes_count_by_their_shares():
    votes = np.tile([0.2, 0.3, 0.5], (ROWS, 1))
    chances = np.stack([np.tile(p, (ROWS, 1)) for p in ([0.1, 0.1, 0.8], [0.3, 0.5, 0.2])])
    weights = plain_weights(chances, votes, SINGLE)
    np.testing.assert_allclose(mixed(chances, weights)[0], [0.2, 0.3, 0.5], atol=1e-3)


def test_a_teacher_of_noise_is_left_out():
    chances = np.stack([model(2.0, 1), model(0.0, 2, noise=2), model(2.0, 3)])
    for weights in (plain_weights(chances, TARGET, SINGLE), class_weights(chances, TARGET, SINGLE)):
        assert not weights[1].any() and weights[0].all() and weights[2].all()
    assert plain_weights(chances, TARGET, SINGLE)[[0, 2]] == pytest.approx(
        plain_weights(chances[[0, 2]], TARGET, SINGLE), abs=1e-6
    )


def blind(index, seed):
    """A teacher that knows every class but one, over which it spreads its doubt."""
    return model([3.0 if own != index else 0.0 for own in range(3)], seed, noise=0.7)


def test_teachers_that_know_other_classes_get_weights_by_class():
    chances = np.stack([blind(0, 1), blind(1, 2)])
    found = blend(chances, TARGET, CLUSTERS, SINGLE, seed=1)
    assert found.is_by_class and found.by_class < found.plain - 0.005
    assert found.weights[0, 1] > 1.5 * found.weights[1, 1] and found.weights[1, 0] > 1.5 * found.weights[0, 0]
    assert found.shares.sum() == pytest.approx(1)
    assert loss(chances, found.weights) < loss(chances, plain_weights(chances, TARGET, SINGLE))


def test_equal_teachers_keep_one_weight_each():
    """Three classes of 200 rows have nothing to tell apart, so what weights by class gain is noise."""
    plain = [
        blend(np.stack([model(2, 10 * seed), model(2, 10 * seed + 1)]), TARGET, CLUSTERS, SINGLE, 1)
        for seed in range(1, 7)
    ]
    assert all(abs(one.by_class - one.plain) < 0.01 for one in plain)


def test_no_small_step_lowers_what_weights_by_class_minimise():
    """Log loss of all rows, less the gamma prior's λ Σ (w_m log w_mc − w_mc)."""
    chances = np.stack([blind(0, 1), blind(1, 2), model(1.0, 3)])
    plain = plain_weights(chances, TARGET, SINGLE)
    weights = class_weights(chances, TARGET, SINGLE)

    def minimised(own):
        kept = plain > 0
        prior = (plain[kept, None] * np.log(own[kept]) - own[kept]).sum()
        return ROWS * loss(chances, own) - 10 * prior

    steps = np.random.default_rng(1).normal(0, 1, (50, *weights.shape))
    assert all(minimised(weights * np.exp(0.03 * step)) >= minimised(weights) - 1e-6 for step in steps)


def test_a_class_of_few_rows_takes_nearly_the_plain_weights():
    rare = np.r_[np.flatnonzero(GOLD != 2), np.flatnonzero(GOLD == 2)[:2]]
    chances = np.stack([model(2.0, 1), model(2.0, 2)])[:, rare]
    chances[0, -2:], chances[1, -2:] = [0.05, 0.05, 0.9], [0.45, 0.45, 0.1]
    shares = class_weights(chances, TARGET[rare], SINGLE)
    shares = shares / shares.sum(axis=0)
    assert abs(shares[0, 2] - plain_weights(chances, TARGET[rare], SINGLE)[0]) < 0.12


def test_a_folds_figures_come_from_the_other_folds():
    """A teacher that is right in the first fold alone: its weight comes from there, so there it must not count."""
    first = fold_numbers([str(number) for number in CLUSTERS], FOLDS, 1) == 0
    lucky = np.where(first[:, None], 0.95 * TARGET + 0.025 * (1 - TARGET), 0.25 * TARGET + 0.375 * (1 - TARGET))
    chances = np.stack([lucky, np.full((ROWS, 3), 1 / 3)])
    found = blend(chances, TARGET, CLUSTERS, SINGLE, seed=1)
    assert not found.is_by_class and found.weights[0] > 0.1
    np.testing.assert_allclose(SINGLE.probabilities(found.logits)[first], 1 / 3, atol=1e-6)
    assert found.plain > np.log(3) > loss(chances, found.weights)


def test_rows_of_a_cluster_are_never_on_both_sides(monkeypatch):
    seen = []
    clusters = np.arange(ROWS) // 6
    own = np.stack([model(2, 1), np.tile((clusters / 200)[:, None], 3)])  # the second one says whose row it is

    def noting(chances, target, objective):
        seen.append(set(np.round(chances[1, :, 0] * 200).astype(int)))
        return np.array([1.0, 0.0])

    monkeypatch.setattr(mixing, "plain_weights", noting)
    monkeypatch.setattr(mixing, "class_weights", noting)
    mixing.blend(own, TARGET, clusters, SINGLE, seed=1)
    fitted, everything = seen[:FOLDS], set(range(ROWS // 6))
    left_out = [everything - one for one in fitted]
    assert sum(map(len, left_out)) == len(everything) and set().union(*left_out) == everything


def test_several_labels_have_weights_of_their_own():
    objective, random = MultiLabel(), np.random.default_rng(1)
    target = (random.random((ROWS, 3)) < 0.4).astype(float)
    knows = [np.array([1, 1, 0]), np.array([0, 1, 1])]
    chances = np.stack(
        [objective.probabilities((4 * target - 2) * own + random.normal(0, 1, (ROWS, 3))) for own in knows]
    )
    found = blend(chances, target, CLUSTERS, objective, seed=1)
    assert found.is_by_class
    np.testing.assert_allclose(found.weights.sum(axis=0), 1)
    assert found.weights[0, 0] > 0.8 and found.weights[1, 2] > 0.8 and 0.2 < found.weights[0, 1] < 0.8
    by_hand = np.einsum("mc,mnc->nc", found.weights, chances)
    np.testing.assert_allclose(mixed(chances, found.weights, objective), by_hand)


def test_one_weight_for_every_class_is_the_plain_mixture():
    chances, weights = np.stack([model(2, 1), model(1, 2)]), np.array([0.3, 0.7])
    np.testing.assert_allclose(mixed(chances, np.tile(weights[:, None], 3)), mixed(chances, weights))
    logits = [SINGLE.logits(one) for one in chances]
    np.testing.assert_allclose(
        SINGLE.probabilities(mixture(logits, np.tile(weights[:, None], 3))), mixed(chances, weights), atol=1e-9
    )
