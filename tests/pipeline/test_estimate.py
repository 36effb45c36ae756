"""What a run will take: how timings are scaled, and what the plan shows."""

import re
import shutil

import pytest

from distill.core.work import Work
from distill.pipeline.estimate import Timing
from distill.training.config import TrainingConfig
from distill.training.work import fit_work
from tests.tiny_run import distill


def test_rows_scale_with_the_work_and_not_with_what_surrounds_it():
    found = Timing(whole=5.0, busy=2.0, size=100).scaled(Work(rows=50), Work(rows=5000, grows=True))
    assert found.expected == found.longest == pytest.approx(3 + 2 * 100)
    assert found.size == 10_000 and found.spare == 0


def test_a_step_that_does_not_grow_takes_what_it_took():
    found = Timing(whole=5.0, busy=2.0, size=100).scaled(Work(), Work())
    assert (found.expected, found.longest, found.size) == (5, 5, 100)


def test_timed_requests_scale_with_processes_and_with_the_requests_beyond():
    """Two processes of ten requests each took 8 s of work; ten processes of 110 need 100 requests more each."""
    timing = Timing(whole=9.0, busy=8.0, extra=0.01)
    found = timing.scaled(Work(rows=20, launches=2), Work(rows=1100, launches=10))
    assert found.expected == pytest.approx(1 + 8 * 5 + 0.01 * 1000)


FIT = Timing(whole=9.0, busy=8.0, ticks=(105.0, 106.0, 107.0, 108.0), size=100)


def of(rows, valid_rows, **training):
    return FIT.scaled(Work(steps=4), fit_work(TrainingConfig(batch_size=10, **training), rows, valid_rows))


def test_a_measurement_with_so_many_minutes_takes_no_longer():
    """Whether sampling ends before is not known: at most the minutes, and no more than its least processes take."""
    timing = Timing(whole=9.0, busy=8.0, extra=0.01)
    own, work = Work(rows=20, launches=2), {"rows": 1100, "launches": 10}
    free = timing.scaled(own, Work(**work))
    tight, wide = (timing.scaled(own, Work(**work, most_minutes=minutes)) for minutes in (0.1, 10))
    assert (tight.expected, tight.longest) == (6.0, 6.0)
    assert (wide.expected, wide.longest) == (free.expected, 600.0)


@pytest.mark.parametrize("length", [{"epochs": 3}, {"max_steps": 30}])
def test_a_fixed_length_has_one_time(length):
    found = of(100, 60, **length)
    assert found.expected == found.longest == pytest.approx(1 + 30 + 3 * 60 / 10 / 3)


def test_a_run_that_ends_by_itself_has_a_likely_and_a_longest_time():
    """Ten epochs are likely; the ceiling in steps is the end. Half an epoch passes between two evaluations."""
    found = of(1000, 60, ceiling_steps=4000)
    validation = 60 / 10 / 3
    assert found.expected == pytest.approx(1 + 1000 + 1000 / 50 * validation)
    assert found.longest == pytest.approx(1 + 4000 + 4000 / 50 * validation)


def test_ceilings_bound_both_times():
    minutes = of(1000, 60, ceiling_minutes=2)
    assert (minutes.expected, minutes.longest) == (120, 120)
    few = of(1000, 60, ceiling_steps=600)
    assert few.expected == few.longest == pytest.approx(1 + 600 + 600 / 50 * 2)


def test_a_fit_needs_more_disk_while_it_works_than_it_leaves():
    found = of(100, 60, epochs=3)
    assert found.size == 100 and found.spare > found.size


def test_a_plan_has_times_once_audited_and_makes_nothing(tiny, tmp_path):
    run = tmp_path / "run"
    early = distill("--dry-run", *tiny(run))
    assert early.returncode == 0 and "distill audit" in early.stdout, early.stderr
    assert distill("audit", *[part for part in tiny(run) if not part.startswith("--student")]).returncode == 0
    before = sorted(path for path in run.rglob("*") if path.is_file())
    planned = distill("--dry-run", *tiny(run))
    assert planned.returncode == 0, planned.stderr
    assert "teach base@document …" in planned.stderr and "macro F1" not in planned.stderr
    timed = re.findall(r"to do +(\S+ \S+) +\d+[hms]", planned.stdout)
    student = {"train 3L_trunc", "train 3L_trunc-gold", "train 3L_trunc-gold-steps"}
    assert {"teach base@document", "teach base@card", "label base", *student} <= {*timed}
    # Everything after the audit has a time but the hand-off.
    to_do = [line for line in planned.stdout.splitlines() if line.startswith("  to do")]
    untimed = [line for line in to_do if not re.search(r" \d+[hms]", line)]
    assert len(untimed) == 1 and "bundle 3L_trunc" in untimed[0]
    assert re.search(r"disk +about \d+\.\d GB needed, \d+\.\d GB free", planned.stdout)
    # Only the twin of its own convergence ends by itself.
    assert re.findall(r"to do +(\S+ \S+) +\d[^,\n]*, at most \d", planned.stdout) == ["train 3L_trunc-gold"]
    assert "made   audit" in planned.stdout and re.search(r"time +about \d[^,\n]*, at most \d", planned.stdout)
    assert sorted(path for path in run.rglob("*") if path.is_file()) == before


@pytest.mark.slow
def test_of_a_run_in_part_only_what_is_left_has_a_time(run, tiny, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    finished = distill("--dry-run", *tiny(copy))
    assert "nothing is left to do" in finished.stdout and "estimating" not in finished.stderr
    other = ("--set=labels=card", "--set=students.3L_trunc.temperature=3")
    planned = distill("--dry-run", *tiny(copy, *other))
    assert planned.returncode == 0 and "label base@card …" in planned.stderr, planned.stderr
    lines = planned.stdout
    assert re.search(r"made   teach base@document  +\S+/", lines) and re.search(r"made   teach base@card  +\S+/", lines)
    assert re.search(r"to do  choose labels ", lines) and re.search(r"to do  label base@card  +\d+", lines)
    assert re.search(r"to do  train 3L_trunc  +\d+", lines) and re.search(r"maybe  evaluate ", lines)
    assert "maybe: made, and redone if what it reads comes out otherwise" in lines
