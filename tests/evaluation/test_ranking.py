"""Rank correlations against SciPy's, ties and resamples included."""

import numpy as np
import pytest

from distill.evaluation.ranking import kendall, ranks, spearman


def test_they_equal_scipys_with_and_without_ties():
    stats = pytest.importorskip("scipy.stats")
    draw = np.random.default_rng(3)
    for kind in (lambda: draw.normal(size=(4, 9)), lambda: draw.integers(0, 4, (4, 9))):
        a, b = kind(), kind()
        assert spearman(a, b) == pytest.approx([stats.spearmanr(x, y).statistic for x, y in zip(a, b, strict=True)])
        assert kendall(a, b) == pytest.approx([stats.kendalltau(x, y).statistic for x, y in zip(a, b, strict=True)])


def test_equal_values_share_a_rank_and_a_constant_list_has_no_order():
    assert ranks([3.0, 1.0, 3.0, 2.0]).tolist() == [3.5, 1.0, 3.5, 2.0]
    assert np.isnan(spearman([1, 1, 1], [1, 2, 3])) and np.isnan(kendall([1, 2, 3], [5, 5, 5]))
