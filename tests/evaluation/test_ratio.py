"""A ratio is defined where there is something to divide by."""

from __future__ import annotations

import numpy as np
import pytest

from distill.evaluation.ratio import ratio


@pytest.mark.parametrize("undefined", [0.0, np.nan])
def test_by_nothing_and_by_less_a_ratio_is_what_was_asked_for(undefined):
    found = ratio([1, 2, 0, 1], [2, 0, 0, -1], undefined)
    np.testing.assert_array_equal(found, [0.5, undefined, undefined, undefined])
    assert ratio(3.0, 4.0) == 0.75 and ratio(3, 0) == 0


def test_a_figure_that_is_not_known_is_not_taken_for_none():
    np.testing.assert_array_equal(ratio([np.nan, 1.0], [np.nan, np.nan]), [np.nan, np.nan])
