"""Intervals of speed-ups: by process, and as wide as they have to be."""

import numpy as np
import pytest

from benchmarks.intervals import Centre, centre, degrees, pooled, ratio
from benchmarks.sampling import Limits, Sampler

REQUESTS = 30
LENGTHS = np.exp(np.random.default_rng(0).normal(0, 0.4, REQUESTS))


def process(random, base_ms, between):
    """Latencies of one process, ns: lengths that all share, a factor of the process, noise of each request."""
    noise = np.exp(np.abs(random.normal(0, 0.05, REQUESTS)))
    return base_ms * 1e6 * LENGTHS * np.exp(random.normal(0, between)) * noise


def bench(seed, bases, between=0.02, within=0.03, seconds=40.0):
    """A whole bench of subjects on a fake machine: each process takes a second. Returns the centres at its end."""
    random, now, last = np.random.default_rng(seed), [0.0], {}

    def run(name):
        now[0] += 1
        return {"latencies": process(random, bases[name], between)}

    def centres(processes):
        found = {name: centre([one["latencies"] for one in some]) for name, some in processes.items()}
        last.update(pooled(found))
        return dict(last)

    first = next(iter(bases))
    sampler = Sampler(run, centres, lambda _: [(first, name) for name in bases if name != first], lambda: now[0])
    taken = sampler.sample(list(bases), Limits(3, seconds, within))
    return last, {name: len(found) for name, found in taken.items()}


def test_a_model_against_itself_has_1_in_its_interval():
    """200 whole benches whose processes differ by 2%, sampled until ±3%: at least 93% have the truth inside."""
    inside = 0
    for seed in range(200):
        found, _ = bench(seed, {"a": 10.0, "b": 10.0})
        interval = ratio(found["a"], found["b"])
        inside += interval.low <= 1 <= interval.high
    assert inside >= 0.93 * 200


def test_requests_of_one_process_are_no_independent_ones():
    """Processes 10% apart: thousands of requests do not make the ratio sure."""
    random = np.random.default_rng(1)
    sides = [centre([process(random, 10, 0.1) for _ in range(3)]) for _ in range(2)]
    assert ratio(*sides).width > 0.05


def test_the_point_is_the_ratio_of_the_medians():
    above, below = (centre([np.array([4.0, 9.0, 2.0]) * scale] * 2) for scale in (6.0, 1.0))
    found = ratio(above, below)
    assert found.value == pytest.approx(6) and found.low == found.value == found.high


def test_one_process_says_nothing_about_others():
    one = centre([np.array([1.0, 2.0])])
    assert ratio(one, centre([np.array([1.0, 2.0])] * 2)) is None


def test_processes_that_agree_or_not_by_luck_count_the_others_too():
    """Of a and b each has 2 degrees of its own and takes one from the average, 0.03; one process says nothing."""
    found = pooled({"a": Centre(0.0, 0.0, 3, 2), "b": Centre(0.0, 0.02, 3, 2), "c": Centre(0.0, float("nan"), 1, 0)})
    assert found["a"].variance == pytest.approx(0.01 / 3) and found["a"].freedom == 3
    assert found["b"].variance == pytest.approx((2 * 0.02 + 0.01) / 3) and np.isnan(found["c"].variance)
    alone = Centre(0.0, 0.02, 3, 2)
    assert pooled({"a": alone}) == {"a": alone}


def test_two_processes_each_leave_no_ratio_open_for_ever():
    """Twelve subjects whose processes differ by 10%, two each: the intervals hold 1, and are a third of it wide."""
    random, inside, widths = np.random.default_rng(3), [], []
    for _ in range(100):
        sides = {str(at): centre([process(random, 10, 0.1) for _ in range(2)]) for at in range(12)}
        found = pooled(sides)
        one = ratio(found["0"], found["1"])
        inside.append(one.low <= 1 <= one.high)
        widths.append(one.width)
    assert np.mean(inside) >= 0.93 and np.median(widths) < 0.35


def test_welchs_degrees():
    three, nine = Centre(0, 1, 3, 2), Centre(0, 1, 9, 8)
    assert degrees(three, three) == pytest.approx(4) == degrees(nine, nine)
    assert degrees(Centre(0, 1, 4, 3), Centre(0, 0, 9, 8)) == pytest.approx(3)
