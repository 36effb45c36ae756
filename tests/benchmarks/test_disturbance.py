"""A machine that does something else is seen, measured again and told."""

import multiprocessing
import os
import time

import pytest

from benchmarks import disturbance
from benchmarks.blocks import LEAST, Pace, time_blocks
from benchmarks.disturbance import Accounts, Reading, Watch, accounts, reading, watch
from benchmarks.timing import Timing

QUIET = Reading(1.0, 2.0, 3.0, 0.01, 0.0, 0.5, 1.1)


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        ({}, None),
        ({"waited_share": 0.2}, "waited for a processor (20% of the time)"),
        ({"switches_per_s": 900.0}, None),
        ({"switches_per_s": 900.0, "waited_share": None}, "involuntary context switches (900 a second)"),
        ({"stolen_share": 0.1}, "the host took processors (10%"),
        ({"loop": 1.6}, "took longer (1.60 times)"),
    ],
)
def test_what_is_too_much(change, seen):
    found = Reading(**{**vars(QUIET), **change}).reasons
    assert found == [] if seen is None else seen in found[0]


def test_a_reading_is_the_difference_of_two_accounts():
    before = Accounts(10.0, 5.0, 100, 1.0, 0.0, 0.5)
    found = reading(before, Accounts(12.0, 8.0, 150, 1.5, 0.0, 9.0), 1.0)
    assert (found.seconds, found.cpu_share, found.switches_per_s) == (2.0, 1.5, 25.0)
    assert (found.waited_share, found.load) == (0.25, 9.0)
    unknown = reading(before._replace(waited_s=None), before._replace(waited_s=None), 1.0)
    assert unknown.waited_share is None


def burn(until):
    while time.monotonic() < until:
        pass


def test_a_planted_load_is_seen_by_the_process_that_is_timed():
    """As many busy processes as there are processors, twice: the work between waits for half of its time or more."""
    ends = time.monotonic() + 20
    busy = [multiprocessing.Process(target=burn, args=(ends,)) for _ in range(2 * (os.cpu_count() or 1))]
    for one in busy:
        one.start()
    try:
        watched = watch(1)
        _, found = watched.around(lambda: burn(time.monotonic() + 0.5))
    finally:
        for one in busy:
            one.kill()
            one.join()
    assert found.reasons and found.load > 0
    assert accounts().waited_s is None or found.waited_share > 0.1


@pytest.mark.parametrize(("spinning", "kinds"), [(True, 1), (False, 0)])
def test_what_threads_that_sleep_wait_for_is_no_sign_of_others(monkeypatch, spinning, kinds):
    waits = (Accounts(float(at), 0.0, 9000 * at, 0.4 * at, 0.0, 1.0) for at in range(9))
    monkeypatch.setattr(disturbance, "accounts", lambda: next(waits))
    monkeypatch.setattr(disturbance, "hash_loop", lambda threads: 1.0)
    _, found = watch(1, spinning=spinning).around(lambda: None)
    assert len(found.reasons) == kinds and (found.waited_share is None) != spinning


class Noise:
    """A loop of known cost that takes as long as a script says; quiet at its end."""

    def __init__(self, *loops):
        self.loops = list(loops)

    def __call__(self):
        return self.loops.pop(0) if self.loops else 1.0


def still():
    return Accounts(0.0, 0.0, 0, 0.0, 0.0, 0.0)


def asked(count, noise, **more):
    order = []

    def ask(position):
        order.append(position)
        return Timing(len(order), 0)

    return order, time_blocks(count, ask, Watch(noise, still, 1.0), lambda: 0, first=[Timing(10**8, 0)], **more)


def test_a_disturbed_block_is_measured_again_and_its_quiet_time_kept():
    """Blocks of five requests: the first two times of the first block are disturbed."""
    order, blocks = asked(10, Noise(1.0, 2.0, 3.0, 1.0))
    assert order == [0, 1, 2, 3, 4] * 3 + [5, 6, 7, 8, 9]
    assert [block.repeats for block in blocks] == [2, 0] and not any(block.reading.reasons for block in blocks)
    assert [timing.total_ns for timing in blocks[0].timings] == [11, 12, 13, 14, 15]


def test_a_busy_machine_is_not_measured_for_ever():
    order, blocks = asked(50, Noise(*[5.0] * 1000))
    assert len(order) == 3 * 3 * 5 + 7 * 5
    assert len(blocks) == 10 and all("loop of known cost" in block.reading.reasons[0] for block in blocks)


def test_it_ends_with_the_time_but_not_before_the_least_requests():
    order, _ = asked(200, Noise(), pace=Pace(until_ns=0))
    assert order == list(range(LEAST))
