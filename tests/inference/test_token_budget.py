import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.inference.token_budget import batches


@given(st.lists(st.integers(0, 300), max_size=80), st.integers(1, 500), st.integers(1, 20))
def test_every_row_once_within_the_budget(lengths, max_tokens, max_rows):
    made = batches(lengths, max_tokens, max_rows)
    assert sorted(np.concatenate(made).tolist() if made else []) == list(range(len(lengths)))
    for rows in made:
        longest = max(lengths[row] for row in rows)
        assert len(rows) == 1 or len(rows) * longest <= max_tokens
        assert 1 <= len(rows) <= max_rows


def test_longest_first_and_ties_in_order():
    assert [rows.tolist() for rows in batches([3, 9, 3, 9, 5], 18, 8)] == [[1, 3], [4, 0, 2]]


def test_no_room_is_wasted():
    assert [len(rows) for rows in batches([4] * 10, 16, 8)] == [4, 4, 2]
    assert [len(rows) for rows in batches([4] * 10, 1000, 3)] == [3, 3, 3, 1]


def test_row_over_the_budget_goes_alone():
    assert [rows.tolist() for rows in batches([100, 2, 2], 10, 8)] == [[0], [1, 2]]


def test_indices_are_int64():
    assert batches([1], 1, 1)[0].dtype == np.int64 and batches([], 1, 1) == []


@pytest.mark.parametrize(("max_tokens", "max_rows"), [(0, 1), (1, 0)])
def test_no_room_at_all(max_tokens, max_rows):
    with pytest.raises(ValueError, match="room"):
        batches([1], max_tokens, max_rows)
