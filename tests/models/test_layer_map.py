import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.models.layer_map import evenly_spread, first


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


@pytest.mark.parametrize("choose", [evenly_spread, first])
@pytest.mark.parametrize(("source", "kept"), [(6, 8), (6, 0), (6, -1), (0, 0)])
def test_impossible_depth_names_both_numbers(choose, source, kept):
    with pytest.raises(ValueError, match=rf"{kept} of {source}"):
        choose(source, kept)
