"""Durations and progress as people read them."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from distill.cli.console import ConsoleReporter, clock


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0s"), (59, "59s"), (125, "2m 05s"), (4200, "1h 10m")])
def test_clock(seconds, text):
    assert clock(seconds) == text


def test_a_resumed_task_says_where_it_goes_on():
    shown = io.StringIO()
    reporter = ConsoleReporter(Console(file=shown))
    reporter.start("labelling", 100, 40, at_most=False)
    reporter.advance(50)
    reporter.end()
    assert "going on from 40 of 100" in shown.getvalue()


def test_markup_in_names_is_shown_as_it_is():
    shown = io.StringIO()
    reporter = ConsoleReporter(Console(file=shown))
    reporter.note("товар [красный] 1")
    assert "[красный]" in shown.getvalue()
