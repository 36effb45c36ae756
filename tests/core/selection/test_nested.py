"""Sizes of samples of the pool, from factors and the rows that there are."""

import pytest

from distill.core.errors import UserError
from distill.core.selection.nested import Point, parse_factors, points, uses_up_pool


def test_points_are_multiples_of_the_gold_rows_up_to_all_of_the_pool():
    assert points([1, 4, 16], 100, 2000) == [Point(1, 100), Point(4, 400), Point(16, 1600)]
    assert points([1, 4, 16, 64], 100, 973) == [Point(1, 100), Point(4, 400), Point(9.73, 973, whole=True)]
    assert points([1, 4, 16], 100, 400) == [Point(1, 100), Point(4, 400)]
    assert points([2, 4], 100, 50) == [Point(0.5, 50, whole=True)]
    assert [point.name for point in points([0.5, 1, 2], 10, 12)] == ["0.5x", "1x", "all"]


def test_the_sizes_do_not_depend_on_larger_factors():
    assert points([1, 4, 16], 7, 1000)[:2] == points([1, 4], 7, 1000)


@pytest.mark.parametrize(
    ("factors", "gold", "pool", "expected"),
    [
        ([0.25], 201, 1000, False),  # 50 rows, rounded down from 50.25
        ([1, 4], 100, 400, False),
        ([1, 4, 16], 100, 400, True),
        ([1, 4, 16], 100, 973, True),
        ([2], 100, 50, True),
    ],
)
def test_a_pool_is_used_up_where_more_rows_are_asked_for_than_it_has(factors, gold, pool, expected):
    assert uses_up_pool(points(factors, gold, pool), factors) is expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,4,4", "the factors do not increase"),
        ("4,1", "the factors do not increase"),
        ("0,1", "a factor is above 0"),
        ("-1", "a factor is above 0"),
        ("1,nan", "a factor is above 0"),
        ("1,inf", "a factor is above 0"),
        ("1;4", "the factors are no numbers"),
        ("", "the factors are no numbers"),
    ],
)
def test_factors_that_are_refused(text, message):
    with pytest.raises(UserError, match=message):
        parse_factors(text)
