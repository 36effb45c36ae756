"""Which candidates fit a bound on latency, which need no timing, and which are worth training."""

import numpy as np
import pytest

from benchmarks.candidates import (
    Candidate,
    Shape,
    combinations,
    fits,
    front,
    percentile_of,
    rising,
    ruled_out_by,
    worth_training,
)

DEPTHS = [Shape(f"{layers}L", "source", layers) for layers in (1, 3, 6)]
BAG = Shape("bag", "bag", 0)


def candidate(layers, tokens, target="onnx", threads=1):
    return Candidate(Shape(f"{layers}L", "source", layers), tokens, target, threads)


def process(milliseconds):
    return {"batches": {"1": {"total_ns": [1e6 * one for one in milliseconds]}}, "tokens": [3]}


def test_a_percentile_is_that_of_each_process_with_an_interval_over_them():
    rising_ms = np.arange(1, 101)
    found = percentile_of([process(rising_ms), process(1.1 * rising_ms)], "p99")
    assert found["value"] == pytest.approx(np.sqrt(1.1) * np.percentile(rising_ms, 99))
    assert found["low"] < np.percentile(rising_ms, 99) < 1.1 * np.percentile(rising_ms, 99) < found["high"]
    assert percentile_of([process(rising_ms)], "p50") == {"value": pytest.approx(50.5), "low": None, "high": None}


def test_a_candidate_fits_with_the_upper_end_of_its_interval():
    assert fits({"value": 1.8, "low": 1.7, "high": 2.0}, 2.0)
    assert not fits({"value": 1.8, "low": 1.6, "high": 2.1}, 2.0)
    assert not fits({"value": 1.8, "low": None, "high": None}, 2.0)


def test_every_combination_comes_after_those_that_do_less():
    found = rising(
        combinations([*reversed(DEPTHS), BAG], {"1L": ["onnx"], "6L": ["onnx"], "bag": ["onnx"]}, [32, 16], [1])
    )
    assert [one.name for one in found] == [
        "bag-16.onnx, 1 thread",
        "bag-32.onnx, 1 thread",
        "1L-16.onnx, 1 thread",
        "1L-32.onnx, 1 thread",
        "6L-16.onnx, 1 thread",
        "6L-32.onnx, 1 thread",
    ]


def test_what_does_more_than_one_beyond_the_bound_is_not_timed_and_nothing_else():
    over, near = {"value": 3.0, "low": 2.5, "high": 3.5}, {"value": 2.1, "low": 1.9, "high": 2.3}
    timed = {candidate(3, 16): over, candidate(1, 32): near}
    assert ruled_out_by(candidate(6, 16), timed, 2.0) == candidate(3, 16)
    assert ruled_out_by(candidate(3, 32), timed, 2.0) == candidate(3, 16)
    served_otherwise = [candidate(6, 16, threads=2), candidate(6, 16, "onnx-int8"), candidate(1, 64), candidate(6, 8)]
    assert [ruled_out_by(one, timed, 2.0) for one in served_otherwise] == [None] * 4
    assert ruled_out_by(Candidate(Shape("6L-w64", "64 wide", 6), 16, "onnx", 1), timed, 2.0) is None


def test_the_largest_of_each_line_are_trained_and_told_why():
    bag = [Candidate(BAG, tokens, "onnx", 1) for tokens in (16, 32)]
    fitting = [candidate(6, 16), candidate(3, 16), candidate(3, 32), candidate(1, 32), candidate(3, 32, "int8"), *bag]
    trained, beyond = worth_training(fitting, 2)
    assert [one.student for one in trained] == ["3L-32", "bag-32"] and [one.student for one in beyond] == ["6L-16"]
    assert {one.target for one in trained[0].candidates} == {"onnx", "int8"}
    assert "deepest source that fits at 32 tokens" in trained[0].why and "at its longest" in trained[1].why
    assert worth_training([], 3) == ([], [])


def test_the_front_leaves_out_what_is_slower_and_no_better():
    points = {"slow": (3.0, 90.0), "best": (2.0, 91.0), "fast": (1.0, 80.0), "worse": (1.0, 70.0), "equal": (1.0, 80.0)}
    assert front(points) == ["fast", "equal", "best"]
