import re
import shutil

import pytest

from distill.pipeline.estimate import Estimate, Timing
from distill.training.config import TrainingConfig
from tests.tiny_run import distill


def test_rows_scale_with_the_work_and_not_with_what_surrounds_it():
    timing = Timing(whole=5.0, busy=2.0, units=50, ticks=())
    assert timing.over_rows(5000) == pytest.approx(3 + 2 * 100)


def test_steps_scale_with_the_pace_after_the_first_and_with_validation():
    timing = Timing(whole=9.0, busy=8.0, units=4, ticks=(105.0, 106.0, 107.0, 108.0))
    assert timing.over_steps(600, batch=32, validated=0) == pytest.approx(1 + 600)
    assert timing.over_steps(600, batch=32, validated=960) == pytest.approx(1 + 600 + 960 / 32 / 3)


TIMING = Timing(whole=9.0, busy=8.0, units=4, ticks=(105.0, 106.0, 107.0, 108.0))


@pytest.mark.parametrize("length", [{"epochs": 3}, {"max_steps": 30}])
def test_a_fixed_length_has_one_time(length):
    found = TIMING.over_training(TrainingConfig(batch_size=10, **length), rows=100, valid_rows=60)
    assert found.expected == found.longest == pytest.approx(1 + 30 + 3 * 60 / 10 / 3)


def test_a_run_that_ends_by_itself_has_a_likely_and_a_longest_time():
    """Ten epochs are likely; the ceiling in steps is the end. Half an epoch lies between two evaluations."""
    found = TIMING.over_training(TrainingConfig(batch_size=10, ceiling_steps=4000), rows=1000, valid_rows=60)
    validation = 60 / 10 / 3
    assert found.expected == pytest.approx(1 + 1000 + 1000 / 50 * validation)
    assert found.longest == pytest.approx(1 + 4000 + 4000 / 50 * validation)


def test_ceilings_bound_both_times():
    minutes = TIMING.over_training(TrainingConfig(batch_size=10, ceiling_minutes=2), rows=1000, valid_rows=60)
    assert minutes == Estimate(120, 120)
    few = TIMING.over_training(TrainingConfig(batch_size=10, ceiling_steps=600), rows=1000, valid_rows=60)
    assert few.expected == few.longest == pytest.approx(1 + 600 + 600 / 50 * 2)


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
    # Only the twin of its own convergence ends by itself.
    assert re.findall(r"to do +(\S+ \S+) +\d[^,\n]*, at most \d", planned.stdout) == ["train 3L_trunc-gold"]
    assert "made   audit" in planned.stdout and re.search(r"time +about \d[^,\n]*, at most \d", planned.stdout)
    assert sorted(path for path in run.rglob("*") if path.is_file()) == before


def test_of_a_run_in_part_only_what_is_left_has_a_time(run, tiny, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    finished = distill("--dry-run", *tiny(copy))
    assert "nothing is left to do" in finished.stdout and "estimating" not in finished.stderr
    shutil.rmtree(copy / "students" / "3L_trunc")
    planned = distill("--dry-run", *tiny(copy)).stdout
    assert re.search(r"to do  train 3L_trunc  +\d+", planned) and re.search(
        r"made   teach base@document  +\S+/", planned
    )


def test_a_changed_setting_is_to_do_again_with_all_that_depends_on_it(run, tiny, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    planned = distill("--dry-run", *tiny(copy, "--set=students.3L_trunc.temperature=3")).stdout
    assert re.search(r"made   label base ", planned) and re.search(r"to do  train 3L_trunc  +\d+", planned)
    assert re.search(r"to do  bundle 3L_trunc ", planned) and re.search(r"made   teach base@card ", planned)


@pytest.mark.parametrize("labels", ["card", "mean"])
def test_labels_of_the_card_teacher_have_a_time_too(run, tiny, tmp_path, labels):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    planned = distill("--dry-run", *tiny(copy, f"--set=labels={labels}"))
    assert planned.returncode == 0 and "label base@card …" in planned.stderr, planned.stderr
    assert re.search(r"to do  choose labels ", planned.stdout)
