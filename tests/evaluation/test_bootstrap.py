"""Draws of rows with several keys, against the definition written out row by row."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from distill.evaluation.bootstrap import Bootstrap
from distill.evaluation.influence import influence
from distill.evaluation.metrics import Tally, tally

ROWS = 240


def crossed(rows=ROWS, left=40, right=60):
    """Products and pages, of which no value is on both sides."""
    random = np.random.default_rng(0)
    return np.stack([random.integers(0, left, rows), left + random.integers(0, right, rows)], axis=1)


def dyadic(rows=ROWS, products=50):
    """Products on either side; each fifth row has one on both."""
    keys = np.random.default_rng(1).integers(0, products, (rows, 2))
    keys[::5, 1] = keys[::5, 0]
    return keys


def three(rows=ROWS):
    """Products on either side, and shops."""
    shop = 1000 + np.random.default_rng(2).integers(0, 35, (rows, 1))
    return np.concatenate([dyadic(rows), shop], axis=1)


KEYS = {"crossed": crossed(), "dyadic": dyadic(), "three": three()}


def row_weights(bootstrap):
    """How often each row is drawn, (R, N)."""
    return bootstrap.resample(np.eye(bootstrap.rows))


@pytest.mark.parametrize("keys", [KEYS["dyadic"], KEYS["three"]], ids=["dyadic", "three"])
def test_a_row_is_drawn_as_often_as_the_product_of_its_entities(keys):
    """Found back from the rows: the weight is a product of one number for each entity, the same in all rows."""
    weights = row_weights(Bootstrap(len(keys), keys, 60, seed=3))
    assert weights.mean() == pytest.approx(1, abs=0.1)
    for draw in weights[:20]:
        alone = {}  # entities whose number is known, from rows that have it on both sides
        for row, key in zip(draw, keys, strict=True):
            if len(set(key)) == 1:
                assert alone.setdefault(key[0], row) == row
        for row, key in zip(draw, keys, strict=True):
            if set(key) <= alone.keys():
                assert row == np.prod([alone[value] for value in set(key)])


@pytest.mark.parametrize("keys", KEYS.values(), ids=KEYS)
def test_rows_of_equal_entities_are_drawn_together_on_whichever_side(keys):
    twice = np.concatenate([keys, keys[:, [1, 0, *range(2, keys.shape[1])]]])
    weights = row_weights(Bootstrap(len(twice), twice, 40))
    np.testing.assert_array_equal(weights[:, : len(keys)], weights[:, len(keys) :])


def test_products_are_drawn_as_they_would_be_alone_and_pages_apart_from_them():
    keys = crossed()
    alone = row_weights(Bootstrap(ROWS, keys[:, 0], 30, seed=5))
    both = row_weights(Bootstrap(ROWS, keys, 30, seed=5))
    assert (both[alone == 0] == 0).all()
    for product, row in zip(alone, both, strict=True):
        pages = {}
        for at in np.flatnonzero(product):
            assert pages.setdefault(keys[at, 1], row[at] / product[at]) == row[at] / product[at]
        assert max(pages.values()) > 1 and all(times == int(times) for times in pages.values())


def any_shared(keys, influences):
    """Σ over pairs of rows that share an entity, of the product of their influences."""
    share = np.array([[bool(set(one) & set(other)) for other in keys.tolist()] for one in keys.tolist()])
    return float(sum(row @ share @ row for row in influences))


def for_few(keys):
    """Student's 97.5% point over the normal one, and what a variance of G sums lacks."""
    fewest = min(len(np.unique(key)) for key in keys.T)
    return np.sqrt(fewest / (fewest - 1)) * stats.t.ppf(0.975, fewest - 1) / stats.norm.ppf(0.975)


def product_variance(keys, influences):
    """The same of product weights: two rows that share k entities have covariance 2^k − 1."""
    shared = np.array([[len(set(one) & set(other)) for other in keys.tolist()] for one in keys.tolist()])
    return float(sum(row @ (2.0**shared - 1) @ row for row in influences))


@pytest.mark.parametrize("figures", [1, 3])
@pytest.mark.parametrize("keys", KEYS.values(), ids=KEYS)
def test_deviations_are_narrowed_to_the_variance_of_rows_that_share_an_entity(keys, figures):
    """Against sums over all pairs of rows, which need no sets of entities."""
    random = np.random.default_rng(4)
    effect = random.normal(size=(figures, keys.max() + 1))
    influences = sum(effect[:, column] for column in keys.T) + random.normal(size=(figures, len(keys)))
    influences -= influences.mean(axis=1, keepdims=True)
    expected = np.sqrt(any_shared(keys, influences) / product_variance(keys, influences))
    found = Bootstrap(len(keys), keys, 1).narrowing(influences)
    assert found == pytest.approx(expected * for_few(keys), rel=1e-3)
    assert 0.4 < expected < 1


@pytest.mark.parametrize("keys", [KEYS["crossed"], KEYS["dyadic"]], ids=["crossed", "dyadic"])
def test_product_weights_have_the_variance_that_is_narrowed(keys):
    """Of a sum, over many draws: what `narrowing` divides by is what the draws have."""
    values = np.random.default_rng(6).normal(size=keys.max() + 1)[keys].sum(axis=1)
    values -= values.mean()
    sums = Bootstrap(len(keys), keys, 4000).resample(values[:, None])
    assert sums.var() == pytest.approx(product_variance(keys, values[None]), rel=0.1)


def test_it_is_never_under_one_key_alone():
    """Where rows of a page are opposite, V₁ + V₂ − V₁₂ falls under the variance of the products."""
    keys = np.stack([np.arange(ROWS) // 4, 1000 + np.arange(ROWS) // 2], axis=1)
    influences = np.tile([1.0, -0.9], ROWS // 2)[None]
    one = (influences.reshape(-1, 4).sum(axis=1) ** 2).sum()
    least = max(one, any_shared(keys, influences))
    found = Bootstrap(ROWS, keys, 1).narrowing(influences)
    assert found == pytest.approx(for_few(keys) * np.sqrt(least / product_variance(keys, influences)), rel=1e-3)


@pytest.mark.parametrize("influences", [np.zeros((1, ROWS)), np.full((1, ROWS), np.nan)])
def test_a_figure_that_no_row_moves_is_not_narrowed(influences):
    assert Bootstrap(ROWS, crossed(), 1).narrowing(influences) == pytest.approx(for_few(crossed()), rel=1e-9)
    assert Bootstrap(ROWS, crossed()[:, 0], 1).narrowing(np.ones((1, ROWS))) == 1.0


def test_a_further_key_with_few_values_is_not_drawn_and_the_first_is_an_error_as_ever():
    few = np.stack([np.arange(ROWS), 1000 + np.arange(ROWS) % 29], axis=1)
    bootstrap = Bootstrap(ROWS, few, 20)
    assert bootstrap.values == [ROWS, 29] and bootstrap.drawn == [True, False] and not bootstrap.several
    values = np.random.default_rng(0).normal(size=(ROWS, 2))
    np.testing.assert_array_equal(bootstrap.resample(values), Bootstrap(ROWS, few[:, 0], 20).resample(values))
    assert Bootstrap(ROWS, np.stack([few[:, 0], 1000 + np.arange(ROWS) % 30], axis=1), 20).several
    with pytest.raises(Exception, match="29 clusters in 240 rows"):
        Bootstrap(ROWS, few[:, ::-1], 20)


def test_influence_is_the_derivative_in_the_weight_of_a_row():
    """Against the figure with one row's weight raised a little."""
    random = np.random.default_rng(8)
    target = np.eye(3)[random.integers(0, 3, 60)]
    rows = tally(random.normal(size=(60, 3)) + target, target)
    for name in ("accuracy", "f1_macro", "log_loss", "ece", "kappa_quadratic"):

        def figure(sums, name=name):
            return getattr(Tally(sums), name)

        found, total = influence(figure, rows.columns), rows.columns.sum(axis=0)
        raised = [(figure(total + 1e-6 * row) - figure(total)) / 1e-6 for row in rows.columns]
        np.testing.assert_allclose(found, raised, rtol=1e-3, atol=1e-7)
        assert found.sum() == pytest.approx(0, abs=1e-8)
