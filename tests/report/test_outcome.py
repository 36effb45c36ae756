"""A page is called passed only when its run ended and passed."""

from __future__ import annotations

import pytest

from distill.core.errors import GateFailed, UserError
from distill.report import verdict
from distill.report.outcome import FINISHED, UNFINISHED, stopped, stopped_because
from distill.report.page import page
from tests.report.sample import sample_report
from tests.report.test_page import visible

COLLAPSED = GateFailed("training collapsed: every row is predicted 'a'", found="learning rate 0.5", do="lower it")


def report(outcome):
    return {**sample_report(), "outcome": outcome}


@pytest.mark.parametrize(
    ("outcome", "state"), [(FINISHED, "passed"), (UNFINISHED, "open"), (stopped_because("x"), "failed")]
)
def test_the_state_of_a_page_whose_gates_all_passed(outcome, state):
    assert verdict.state(report(outcome)) == state
    assert f'class="{state}"' in page(report(outcome))


def test_a_run_that_measured_no_model_has_not_passed():
    assert verdict.state({**report(FINISHED), "models": []}) == "open"


def test_a_stopped_run_says_where_and_why_first():
    stages = [{"name": "audit", "status": "done"}, {"name": "train small", "status": "failed"}]
    sample = report(stopped(COLLAPSED, stages))
    expected = "The run stopped at “train small”: training collapsed: every row is predicted 'a' (learning rate 0.5)."
    assert verdict.sentences(sample)[0] == expected and expected in visible(page(sample))
    between = stopped(UserError("an interval needs rows"), stages[:1])
    assert verdict.sentences(report(between))[0] == "The run stopped: an interval needs rows."


def test_a_run_that_goes_on_says_so_and_one_that_ended_does_not():
    assert verdict.sentences(report(UNFINISHED))[0] == "The run has not ended: these are its figures so far."
    assert verdict.sentences(report(FINISHED)) == verdict.sentences(sample_report())


def test_a_failed_gate_is_not_told_twice():
    sample = report(stopped(GateFailed("1 of 5 gates failed"), []))
    sample["gates"][0]["passed"] = False
    assert "stopped" not in " ".join(verdict.sentences(sample)) and verdict.state(sample) == "failed"
