"""When a run has learned, how often it is evaluated, and what is said of its end."""

import pytest

from distill.training.config import TrainingConfig
from distill.training.convergence import (
    Evaluation,
    best,
    evaluation_steps,
    expected_steps,
    fixed_reason,
    has_converged,
    reason,
    slope_per_epoch,
)


def curve(*losses, step=10, epoch=0.5):
    return [Evaluation(step * n, epoch * n, loss) for n, loss in enumerate(losses, 1)]


def test_a_falling_curve_has_not_converged():
    assert not has_converged(curve(1.0, 0.9, 0.8, 0.7, 0.6), patience=2)


def test_it_has_converged_after_patience_evaluations_without_a_lower_one():
    assert not has_converged(curve(1.0, 0.5, 0.6), patience=2)
    assert has_converged(curve(1.0, 0.5, 0.6, 0.55), patience=2)


def test_a_single_rise_does_not_end_a_run():
    assert not has_converged(curve(1.0, 0.8, 0.9, 0.7, 0.75), patience=2)


def test_less_than_a_thousandth_is_no_progress():
    assert has_converged(curve(1.0, 0.9995, 0.9992, 0.9991), patience=3)
    assert not has_converged(curve(1.0, 0.998, 0.996, 0.994), patience=3)


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
        ({"batch_size": 64}, 10, 5, 1),
    ],
)
def test_evaluations_are_half_an_epoch_apart_or_what_validation_allows(changes, rows, valid, steps):
    assert evaluation_steps(TrainingConfig(**changes), rows, valid) == steps


def test_a_run_is_expected_to_take_ten_epochs_under_its_ceiling():
    assert expected_steps(TrainingConfig(batch_size=10), 1000) == 1000
    assert expected_steps(TrainingConfig(batch_size=10, ceiling_steps=300), 1000) == 300


def test_a_run_that_stopped_falling_is_converged():
    config = TrainingConfig(patience=2)
    assert reason(config, curve(1.0, 0.5, 0.6, 0.55)) == (
        "converged",
        "converged: no lower log loss in 2 evaluations",
    )


def test_a_run_at_a_ceiling_says_how_fast_it_was_still_learning():
    steps = TrainingConfig(patience=2, ceiling_steps=40, warmup=0)
    assert reason(steps, curve(1.2, 1.0, 0.95, 0.9)) == (
        "ceiling",
        "undertrained: still falling 10.0% per epoch at the ceiling of 40 steps",
    )
    minutes = TrainingConfig(patience=2, ceiling_minutes=3)
    assert reason(minutes, curve(1.2, 1.0, 0.95, 0.9))[1].endswith("at the ceiling of 3 minutes")
    assert reason(steps, curve(1.0, step=40))[1] == "undertrained: still learning at the ceiling of 40 steps"


def test_a_fixed_length_says_whether_it_ended_too_early():
    assert fixed_reason(TrainingConfig(epochs=3), curve(1.0, 0.9, epoch=1)) == (
        "fixed",
        "fixed: 3 epochs, still falling 10.0% per epoch",
    )
    assert fixed_reason(TrainingConfig(max_steps=7), curve(0.9, 1.0, epoch=1)) == ("fixed", "fixed: 7 steps")
