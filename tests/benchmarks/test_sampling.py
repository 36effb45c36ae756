"""Which subject is measured next, how often, and when it ends."""

import math

from benchmarks.intervals import Centre
from benchmarks.sampling import Limits, Sampler


class Machine:
    """A fake one: each subject's process takes its seconds, and its variance falls with the processes it has."""

    def __init__(self, seconds, spread, disturbed=()):
        self.seconds, self.spread, self.now, self.ran = seconds, spread, 0.0, []
        self.disturbed = dict.fromkeys(seconds, ()) | dict(disturbed)

    def run(self, name):
        before = self.ran.count(name)
        self.ran.append(name)
        self.now += self.seconds[name]
        noisy = self.disturbed[name]
        return {"number": before, "disturbed": noisy[before] if before < len(noisy) else 0.0}

    def centres(self, processes):
        def one(name, count):
            return Centre(0.0, self.spread[name] ** 2 / count if count > 1 else math.nan, count, count - 1)

        return {name: one(name, len(found)) for name, found in processes.items()}

    def sample(self, limits):
        first, *others = self.seconds
        pairs = [(first, name) for name in others]
        sampler = Sampler(self.run, self.centres, lambda _: pairs, lambda: self.now)
        return sampler.sample(list(self.seconds), limits)


def test_it_ends_when_every_ratio_is_narrow_enough():
    wide, narrow = (Machine({"t": 5, "s": 1}, {"t": 0.02, "s": 0.02}) for _ in range(2))
    wide.sample(Limits(3, 1000, 0.05))
    narrow.sample(Limits(3, 1000, 0.02))
    assert 6 <= len(wide.ran) < len(narrow.ran) and narrow.now < 1000


def test_the_slow_subject_is_measured_least():
    machine = Machine({"slow": 20, "quick": 1, "other": 1}, dict.fromkeys(("slow", "quick", "other"), 0.02))
    machine.sample(Limits(3, 1000, 0.025))
    assert machine.ran.count("slow") < machine.ran.count("quick")


def test_it_ends_with_the_time_and_nobody_is_left_out():
    machine = Machine({"t": 50, "s": 1, "u": 70}, dict.fromkeys(("t", "s", "u"), 0.5))
    machine.sample(Limits(3, 130, 0.03))
    assert machine.now <= 130 and set(machine.ran) == {"t", "s", "u"} and machine.ran.count("s") >= 3
    late = Machine({"t": 50, "s": 60}, {"t": 0.5, "s": 0.5})
    late.sample(Limits(3, 10, 0.03))
    assert late.ran == ["t", "s"]


def test_no_minutes_are_exactly_the_processes_asked_in_rounds():
    machine = Machine({"t": 50, "s": 1}, {"t": 0.5, "s": 0.5}, {"s": (1.0, 1.0)})
    machine.sample(Limits(2, 0, 0.03))
    assert machine.ran == ["t", "s"] * 2


def test_a_busy_process_is_measured_again_and_does_not_count():
    machine = Machine({"t": 1, "s": 1}, {"t": 0.001, "s": 0.001}, {"s": (0.9, 0.0, 0.0)})
    taken = machine.sample(Limits(3, 1000, 0.03))
    assert [one["number"] for one in taken["s"]][:3] == [1, 2, 3]
    assert all(one["disturbed"] == 0 for one in taken["s"])


def test_a_machine_that_is_never_quiet_is_tried_a_bounded_number_of_times_and_still_gives_rows():
    machine = Machine({"t": 1, "s": 1}, {"t": 0.001, "s": 0.001}, {"s": (0.9, 0.8, 0.7) * 20})
    taken = machine.sample(Limits(3, 1000, 0.03))
    assert len(taken["s"]) == 3 and {one["disturbed"] for one in taken["s"]} == {0.7, 0.8}
    assert machine.ran.count("s") <= 8
