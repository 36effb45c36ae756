import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.core.errors import UserError
from distill.models.layer_map import evenly_spread, first, kept_layers, last, require_source


@pytest.mark.parametrize(
    ("source", "kept", "expected"),
    [
        (12, 8, [0, 2, 3, 5, 6, 8, 9, 11]),
        (12, 6, [0, 2, 4, 7, 9, 11]),
        (6, 4, [0, 2, 3, 5]),
        (6, 3, [0, 3, 5]),  # 2.5 goes up; Python's round would give 2
        (12, 12, list(range(12))),
        (12, 2, [0, 11]),
        (12, 1, [0]),
        (1, 1, [0]),
    ],
)
def test_evenly_spread(source, kept, expected):
    assert evenly_spread(source, kept) == expected


@given(st.integers(1, 60).flatmap(lambda source: st.tuples(st.just(source), st.integers(1, source))))
def test_spread_is_increasing_and_keeps_both_ends(sizes):
    source, kept = sizes
    indices = evenly_spread(source, kept)
    assert len(indices) == kept and indices == sorted(set(indices))
    assert indices[0] == 0 and (kept == 1 or indices[-1] == source - 1)


def test_first_takes_the_lowest_layers():
    assert first(12, 8) == [0, 1, 2, 3, 4, 5, 6, 7]


def test_last_takes_the_highest_layers():
    assert last(12, 4) == [8, 9, 10, 11]


@pytest.mark.parametrize("choose", [evenly_spread, first, last])
@pytest.mark.parametrize(("source", "kept"), [(6, 8), (6, 0), (6, -1), (0, 0)])
def test_impossible_depth_names_both_numbers(choose, source, kept):
    with pytest.raises(ValueError, match=rf"{kept} of {source}"):
        choose(source, kept)


@pytest.mark.parametrize(
    ("kept", "keep", "expected"),
    [
        (3, "spread", [0, 3, 5]),
        (3, "last", [3, 4, 5]),
        (None, "first", [0, 1, 2, 3, 4, 5]),
        (3, [0, 2, 5], [0, 2, 5]),
        (3, "probe", [0, 3, 5]),  # not measured yet
    ],
)
def test_every_way_to_name_layers(kept, keep, expected):
    require_source("small", 6, kept, keep)
    assert kept_layers(6, kept, keep) == expected


@pytest.mark.parametrize(
    ("kept", "keep", "key", "found"),
    [
        (8, "spread", "layers", "8 of 6"),
        (8, "probe", "layers", "8 of 6"),
        (3, [0, 2, 6], "keep", "layer 6 of layers 0 to 5"),
    ],
)
def test_layers_that_the_source_has_not_are_named(kept, keep, key, found):
    with pytest.raises(UserError) as caught:
        require_source("small", 6, kept, keep)
    assert (caught.value.where, caught.value.found) == (f"small.{key}", found)
