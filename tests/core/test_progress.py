"""Progress reaches whoever listens, and nobody where nobody does."""

from __future__ import annotations

import pytest

from distill.core.pace import Pace
from distill.core.progress import Reporter, note, progress, read, reporting


class Listener(Reporter):
    def __init__(self):
        self.heard = []

    def start(self, name, total, done, at_most, unit="rows"):
        self.heard.append((name, total, done, unit))

    def advance(self, done):
        self.heard.append(done)

    def read(self, tokens, rows=0):
        self.heard.append((tokens, rows))

    def end(self):
        self.heard.append("end")

    def note(self, text):
        self.heard.append(text)


def work():
    with progress("labelling", 10, 4) as advance:
        read(600)
        advance(7)
        note("готово")


def test_a_listener_hears_all_of_it_and_only_inside_its_block():
    outer, inner = Listener(), Listener()
    work()
    with reporting(outer):
        with reporting(inner):
            work()
        note("снаружи")
    work()
    assert inner.heard == [("labelling", 10, 4, "rows"), (600, 0), 7, "готово", "end"] and outer.heard == ["снаружи"]


def test_a_task_that_fails_still_ends():
    listener = Listener()
    with pytest.raises(ZeroDivisionError), reporting(listener), progress("x", 1, unit="steps"):
        raise ZeroDivisionError
    work()
    assert listener.heard == [("x", 1, 0, "steps"), "end"]


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def test_rates_are_of_what_this_process_made_and_the_time_left_is_for_the_rest():
    clock = Clock()
    pace = Pace(100, 40, clock=clock)
    assert str(pace) == ""
    clock.now += 4
    pace.read(tokens=3000)
    pace.advance(50)
    assert str(pace) == "2.5 rows/s, 750 tokens/s, 20s left"
    clock.now += 4
    pace.read(tokens=9000)
    pace.advance(100)
    assert str(pace) == "7.5 rows/s, 1,500 tokens/s, 0s left"


def test_steps_have_rows_and_tokens_beside_them_and_may_end_before():
    clock = Clock()
    pace = Pace(1000, 0, "steps", at_most=True, clock=clock)
    clock.now += 10
    pace.read(tokens=51_200, rows=400)
    pace.advance(20)
    assert str(pace) == "2.0 steps/s, 40.0 rows/s, 5,120 tokens/s, at most 8m 10s left"
