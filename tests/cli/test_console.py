"""Durations and progress as people read them."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from distill.cli.console import ConsoleReporter, TextConsole, clock
from tests.core.test_output import POISON, steering


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


def test_a_log_gets_a_line_every_fifteen_seconds_with_rates_and_time_left():
    shown, now = io.StringIO(), [100.0]
    reporter = ConsoleReporter(Console(file=shown, width=200), clock=lambda: now[0])
    reporter.start("labelling", 1000, 0, at_most=False)
    for done in range(10, 110, 10):
        now[0] += 4
        reporter.read(tokens=1280)
        reporter.advance(done)
    reporter.end()
    assert [line.strip() for line in shown.getvalue().splitlines()] == [
        "labelling 40/1000  2.5 rows/s, 320 tokens/s, 6m 24s left",
        "labelling 80/1000  2.5 rows/s, 320 tokens/s, 6m 08s left",
    ]


def test_a_terminal_shows_the_rates_beside_the_bar():
    shown, now = io.StringIO(), [100.0]
    reporter = ConsoleReporter(Console(file=shown, force_terminal=True, width=200), clock=lambda: now[0])
    reporter.start("train 6L", 100, 0, True, "steps")
    now[0] += 5
    reporter.read(tokens=5000, rows=160)
    reporter.advance(10)
    reporter.end()
    assert "2.0 steps/s, 32.0 rows/s, 1,000 tokens/s, at most 45s left" in shown.getvalue()


def test_markup_in_names_is_shown_as_it_is():
    shown = io.StringIO()
    reporter = ConsoleReporter(Console(file=shown))
    reporter.note("товар [красный] 1")
    assert "[красный]" in shown.getvalue()


@pytest.mark.parametrize("terminal", [False, True])
def test_names_of_others_never_steer_the_terminal(terminal):
    def printed(name):
        shown = io.StringIO()
        console = TextConsole(file=shown, force_terminal=terminal, width=400, color_system=None)
        reporter = ConsoleReporter(console)
        reporter.step_starts(name)
        reporter.start(name, 10, 4, at_most=False)
        reporter._logged = -1e9
        reporter.advance(5)
        reporter.end()
        reporter.note(name)
        table = Table()
        table.add_column(Text(name))
        table.add_row(Text(name))
        console.print(table)
        return shown.getvalue()

    found = {name: re.sub(r"\x1b\[(\?25[lh]|[0-9]*[A-K])|\r", "", printed(name)) for name in ("name\n", POISON)}
    assert [steering(text) for text in found.values()] == [[], []]  # but for the bar's own cursor
    assert r"\x1b[2J" in found[POISON] and "[/][red]" in found[POISON]
