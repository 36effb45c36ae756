"""Progress reaches whoever listens, and nobody where nobody does."""

from __future__ import annotations

import pytest

from distill.core.progress import note, progress, reporting


class Listener:
    def __init__(self):
        self.heard = []

    def start(self, name, total, done, at_most):
        self.heard.append((name, total, done))

    def advance(self, done):
        self.heard.append(done)

    def end(self):
        self.heard.append("end")

    def note(self, text):
        self.heard.append(text)


def work():
    with progress("labelling", 10, 4) as advance:
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
    assert inner.heard == [("labelling", 10, 4), 7, "готово", "end"] and outer.heard == ["снаружи"]


def test_a_task_that_fails_still_ends():
    listener = Listener()
    with pytest.raises(ZeroDivisionError), reporting(listener), progress("x", 1):
        raise ZeroDivisionError
    work()
    assert listener.heard == [("x", 1, 0), "end"]
