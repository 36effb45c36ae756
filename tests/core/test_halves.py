"""What is chosen on one half of validation is judged on the other."""

import numpy as np
import pytest

from distill.core.halves import FEWEST_CLUSTERS, choosing_half

CLUSTERS = [f"товар {number // 3}" for number in range(240)]


def test_clusters_come_to_a_half_as_a_whole_as_many_to_each():
    chosen = choosing_half(CLUSTERS, 1)
    sides = [{name for name, one in zip(CLUSTERS, chosen, strict=True) if one == side} for side in (True, False)]
    assert not sides[0] & sides[1] and [len(side) for side in sides] == [40, 40]


def test_the_seed_decides_and_the_order_of_rows_does_not():
    chosen = choosing_half(CLUSTERS, 1)
    np.testing.assert_array_equal(choosing_half(CLUSTERS[::-1], 1), chosen[::-1])
    assert (choosing_half(CLUSTERS, 2) != chosen).any()


@pytest.mark.parametrize(("clusters", "halved"), [(2 * FEWEST_CLUSTERS - 1, False), (2 * FEWEST_CLUSTERS, True)])
def test_few_clusters_are_not_halved(clusters, halved):
    assert (choosing_half([str(number % clusters) for number in range(500)], 1) is not None) == halved
    assert choosing_half([], 1) is None
