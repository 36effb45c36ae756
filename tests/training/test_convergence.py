"""When a run has learned, how often it is evaluated, and what is said of its end."""

import math

import pytest

from distill.training.config import TrainingConfig
from distill.training.convergence import (
    Evaluation,
    Start,
    best,
    evaluation_steps,
    expected_steps,
    fixed_evaluation_steps,
    fixed_reason,
    has_converged,
    longest_start,
    reason,
    slope_per_epoch,
)

LEFT = Start(math.inf, 0)  # any log loss is that of a run that has learned
SHARES = Start(math.log(77) * 0.99, steps=300)


def curve(*losses, step=10, epoch=0.5):
    return [Evaluation(step * n, epoch * n, loss) for n, loss in enumerate(losses, 1)]


def test_a_falling_curve_has_not_converged():
    assert not has_converged(curve(1.0, 0.9, 0.8, 0.7, 0.6), 2, LEFT)


def test_it_has_converged_after_patience_evaluations_without_a_lower_one():
    assert not has_converged(curve(1.0, 0.5, 0.6), 2, LEFT)
    assert has_converged(curve(1.0, 0.5, 0.6, 0.55), 2, LEFT)


def test_a_single_rise_does_not_end_a_run():
    assert not has_converged(curve(1.0, 0.8, 0.9, 0.7, 0.75), 2, LEFT)


def test_less_than_a_thousandth_is_no_progress():
    assert has_converged(curve(1.0, 0.9995, 0.9992, 0.9991), 3, LEFT)
    assert not has_converged(curve(1.0, 0.998, 0.996, 0.994), 3, LEFT)


def test_nor_is_less_than_a_ten_thousandth_of_a_nat_a_row():
    """Of rows that are all right log loss falls without end, by half each time."""
    halved = [0.001 / 2**n for n in range(10)]
    assert [has_converged(curve(*halved[:seen]), 2, LEFT) for seen in range(1, 7)] == [False] * 5 + [True]
    # Of 100 labels a row log loss is the mean of as many: that of 0.0001 nats a row is 1e-6.
    of_many = Start(math.inf, 0, decisions=100)
    assert not any(has_converged(curve(*halved[:seen]), 2, of_many) for seen in range(1, 11))


def test_evaluations_before_a_run_has_left_the_class_shares_do_not_count():
    plateau = [4.3449, 4.3444, 4.3437, 4.3468, 4.3461, 4.345, 4.3444, 4.336]
    assert not has_converged(curve(*plateau), 4, SHARES)
    assert not has_converged(curve(*plateau, 4.29, 3.36, 3.4, 3.5, 3.6), 4, SHARES)
    assert has_converged(curve(*plateau, 4.29, 3.36, 3.4, 3.5, 3.6, 3.4), 4, SHARES)


def test_a_run_that_never_leaves_the_class_shares_ends_too():
    assert not has_converged(curve(*[4.345] * 32), 4, SHARES)  # from step 300 on
    assert has_converged(curve(*[4.345] * 33), 4, SHARES)


def test_a_run_that_has_learned_at_once_ends_as_without_a_start():
    losses = [4.2, 4.1, 4.0999, 4.15, 4.12, 4.3]
    for seen in range(1, 7):
        mine, other = (has_converged(curve(*losses[:seen]), 2, start) for start in (SHARES, LEFT))
        assert mine == other == (seen >= 4)


def test_a_start_takes_20_epochs_and_2000_steps_at_most():
    assert longest_start(TrainingConfig(batch_size=10, accumulate=2), 100) == 100
    assert longest_start(TrainingConfig(batch_size=10), 100_000) == 2000


def test_a_run_that_ends_where_it_began_says_so():
    stuck = curve(*[4.345] * 40)
    assert reason(TrainingConfig(), stuck, SHARES) == (
        "converged",
        "converged to one answer for all rows, as it began: no lower log loss in 4 evaluations",
    )
    fixed = fixed_reason(TrainingConfig(epochs=50, early_stopping=4), stuck, SHARES)[1]
    assert fixed.startswith("converged to one answer") and fixed.endswith("of 50 epochs at most")


def test_the_best_is_the_lowest_and_the_first_of_equals():
    assert best(curve(0.9, 0.5, 0.7, 0.5)).step == 20


def test_slope_is_the_relative_fall_of_the_lowest_log_loss_per_epoch():
    # From 1.0 to 0.9 over the last two evaluations, an epoch: 10% lower.
    assert slope_per_epoch(curve(1.2, 1.0, 0.95, 0.9), patience=2) == pytest.approx(-0.1)
    assert slope_per_epoch(curve(1.0, 0.8, 0.9, 0.95), patience=2) == 0
    assert slope_per_epoch(curve(1.0), patience=2) is None


@pytest.mark.parametrize(
    ("changes", "rows", "valid", "steps"),
    [
        ({"batch_size": 10}, 1000, 30, 50),  # half an epoch
        ({"batch_size": 10}, 1000, 600, 80),  # a quarter of the time for validation: 600 / 3 / 0.25 rows
        ({"batch_size": 10}, 1000, 9000, 100),  # at most an epoch
        ({"batch_size": 10, "accumulate": 2}, 1000, 30, 25),
        ({"batch_size": 10}, 100_000, 30, 500),  # at most 500 steps of a long epoch
        ({"batch_size": 10, "evaluate_steps": 7}, 1000, 9000, 7),
        ({"batch_size": 10}, 600, 30, 30),  # half an epoch
        ({"batch_size": 32}, 231, 69, 25),  # at least 25 steps, also where that is over an epoch
        ({"batch_size": 64}, 10, 5, 25),
        ({"batch_size": 32, "evaluate_steps": 4}, 231, 69, 4),
    ],
)
def test_evaluations_are_half_an_epoch_apart_or_what_validation_allows(changes, rows, valid, steps):
    assert evaluation_steps(TrainingConfig(**changes), rows, valid) == steps


@pytest.mark.parametrize(
    ("changes", "rows", "steps"),
    [
        ({"max_steps": 8000}, 231, 200),  # 40 evaluations in 1,000 epochs
        ({"max_steps": 40_000}, 231, 500),
        ({"max_steps": 8000}, 20_000, 625),  # of usual size: an epoch
        ({"max_steps": 1888}, 3000, 94),
        ({"max_steps": 4}, 231, 8),
        ({"max_steps": 8000, "early_stopping": 3}, 231, 8),  # which counts epochs
        ({"max_steps": 8000, "evaluate_steps": 30}, 231, 30),
        ({"epochs": 300}, 231, None),
    ],
)
def test_a_fixed_number_of_steps_is_evaluated_each_epoch_or_some_forty_times(changes, rows, steps):
    assert fixed_evaluation_steps(TrainingConfig(batch_size=32, **changes), rows) == steps


def test_a_run_is_expected_to_take_ten_epochs_under_its_ceiling():
    assert expected_steps(TrainingConfig(batch_size=10), 1000) == 1000
    assert expected_steps(TrainingConfig(batch_size=10, ceiling_steps=300), 1000) == 300
    assert expected_steps(TrainingConfig(batch_size=32, patience=4), 231) == 125  # an evaluation, and its patience


def test_a_run_that_stopped_falling_is_converged():
    config = TrainingConfig(patience=2)
    assert reason(config, curve(1.0, 0.5, 0.6, 0.55), LEFT) == (
        "converged",
        "converged: no lower log loss in 2 evaluations",
    )


def test_a_run_at_a_ceiling_says_how_fast_it_was_still_learning():
    steps = TrainingConfig(patience=2, ceiling_steps=40, warmup=0)
    assert reason(steps, curve(1.2, 1.0, 0.95, 0.9), LEFT) == (
        "ceiling",
        "undertrained: still falling 10.0% per epoch at the ceiling of 40 steps",
    )
    minutes = TrainingConfig(patience=2, ceiling_minutes=3)
    assert reason(minutes, curve(1.2, 1.0, 0.95, 0.9), LEFT)[1].endswith("at the ceiling of 3 minutes")
    assert reason(steps, curve(1.0, step=40), LEFT)[1] == "undertrained: still learning at the ceiling of 40 steps"


def test_a_fixed_length_says_whether_it_ended_too_early():
    assert fixed_reason(TrainingConfig(epochs=3), curve(1.0, 0.9, epoch=1), LEFT) == (
        "fixed",
        "fixed: 3 epochs, still falling 10.0% per epoch",
    )
    assert fixed_reason(TrainingConfig(max_steps=7), curve(0.9, 1.0, epoch=1), LEFT) == ("fixed", "fixed: 7 steps")
