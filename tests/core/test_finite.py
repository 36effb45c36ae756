"""A figure is a finite number, whatever else JSON holds in its place."""

from __future__ import annotations

import math

import pytest

from distill.core.finite import finite


@pytest.mark.parametrize(
    ("value", "number"),
    [(1, 1.0), (-0.5, -0.5), *((one, None) for one in (True, None, "1", [1], {}, math.nan, -math.inf))],
)
def test_a_finite_number_or_none(value, number):
    assert finite(value) == number
