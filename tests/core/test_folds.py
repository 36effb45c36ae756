"""Rows dealt into folds."""

import numpy as np
import pytest

from distill.core.folds import fold_numbers

CLUSTERS = [f"товар {row // 3 if row < 60 else row}" for row in range(100)]


def test_rows_of_a_cluster_stay_together_and_folds_have_about_equal_rows():
    folds = fold_numbers(CLUSTERS, 5, 1)
    for name in set(CLUSTERS):
        assert len({fold for fold, own in zip(folds, CLUSTERS, strict=True) if own == name}) == 1
    assert np.bincount(folds).tolist() == [20] * 5


def test_the_seed_decides_and_the_order_of_the_rows_does_not():
    folds = fold_numbers(CLUSTERS, 4, 1)
    assert (folds == fold_numbers(CLUSTERS, 4, 1)).all() and (folds != fold_numbers(CLUSTERS, 4, 2)).any()
    assert (fold_numbers(CLUSTERS[::-1], 4, 1)[::-1] == folds).all()


@pytest.mark.parametrize("folds", [2, 7])
def test_with_as_many_clusters_as_folds_none_is_empty(folds):
    names = ["один"] * 50 + [f"другой {number}" for number in range(folds - 1)]
    assert set(fold_numbers(names, folds, 1)) == set(range(folds))
