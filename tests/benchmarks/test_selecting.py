"""Choosing among the rows of a large pool: the pieces that are measured, and what a row takes in memory."""

from __future__ import annotations

import tracemalloc

import pytest

from benchmarks.selecting import WORK, carry_out, write_pool
from distill.core.selection.store import read_order, selected_ids

ROWS = 20_000


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pool")
    write_pool(folder, ROWS, 2)
    return folder


def test_a_sample_is_of_the_order_and_the_order_of_the_selection(pool):
    """As Python objects a row took 1,700 bytes."""
    tracemalloc.start()
    for work in WORK:
        assert set(carry_out(work, pool)) == {"seconds", "peak_bytes"}
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 500 * ROWS
    chosen, order = (
        set(column.to_pylist()) for column in (selected_ids(pool / "select"), read_order(pool / "order")["id"])
    )
    taken = set(selected_ids(pool / "take").to_pylist())
    assert len(chosen) == 3 * 8192 // 4 and chosen == order and taken < order and len(taken) == len(order) // 2
