"""When a training run has learned: read from its evaluations on validation, whatever trains."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from distill.training.config import TrainingConfig

_LEAST_FALL = 1e-3  # a log loss lower by less than a thousandth is no progress
_LEAST_NATS = 1e-4  # nor is one lower by less than this, of all decisions about a row together
_VALIDATION_SHARE = 0.25  # of the time of training, at most, for validation
FORWARD = 1 / 3  # a row's forward pass as a part of its forward and backward pass
_EXPECTED_EPOCHS = 10
_MOST_BETWEEN = 500  # optimiser steps between two evaluations, where validation is short
# Each evaluation leaves weights, average and optimiser, which takes as long as many steps. Of a fixed number of steps
# that are hundreds of epochs of few rows most evaluations lie far behind the best one.
_LEAST_BETWEEN, _MOST_EVALUATIONS = 25, 40
# How long a fit may answer all rows alike before it counts as one that will: 77 classes of 5 rows took 7 epochs.
_START_EPOCHS, _START_STEPS = 20, 2000


@dataclass(frozen=True)
class Evaluation:
    """One reading of validation.

    Attributes:
        step, epoch: where in training. log_loss: after the best temperature.
    """

    step: int
    epoch: float
    log_loss: float


@dataclass(frozen=True)
class Start:
    """Where a run begins: it answers all rows alike, by the class shares, and may for a while bring nothing lower.

    Attributes:
        log_loss: under which it has left that, `log_loss_to_beat`. steps: after which it is judged all the same.
        decisions: about a row, of which log loss is the mean: the labels, where a record may have several.
    """

    log_loss: float
    steps: float
    decisions: int = 1

    def holds(self, lowest: float, step: int) -> bool:
        """Whether a run with this lowest log loss is still there at a step."""
        return lowest >= self.log_loss and step < self.steps


def best(evaluations: Sequence[Evaluation]) -> Evaluation:
    """The evaluation with the lowest log loss, the first of equals."""
    return min(evaluations, key=lambda one: one.log_loss)


def has_converged(evaluations: Sequence[Evaluation], patience: int, start: Start) -> bool:
    """Whether the last `patience` evaluations brought no log loss lower than before, by a thousandth of it and 0.0001
    nats a row.

    Those at the start of the run do not count.
    """
    lowest, since, least = math.inf, 0, _LEAST_NATS / start.decisions
    for one in evaluations:
        lower = one.log_loss < min(lowest * (1 - _LEAST_FALL), lowest - least)
        lowest = one.log_loss if lower else lowest
        since = 0 if lower or start.holds(lowest, one.step) else since + 1
    return since >= patience


def slope_per_epoch(evaluations: Sequence[Evaluation], patience: int) -> float | None:
    """Relative change of the lowest log loss per epoch over the last `patience` evaluations: −0.04 falls by 4%.

    None for a single evaluation.
    """
    recent = list(evaluations)[-patience - 1 :]
    if len(recent) < 2 or recent[-1].epoch <= recent[0].epoch:
        return None
    before = best(evaluations[: len(evaluations) - len(recent) + 1]).log_loss
    after = best(evaluations).log_loss
    return (after - before) / max(before, 1e-12) / (recent[-1].epoch - recent[0].epoch)


def evaluation_steps(config: TrainingConfig, rows: int, valid_rows: int) -> int:
    """Optimiser steps between evaluations: as configured, or half an epoch, 25 to 500 steps.

    More, up to an epoch, where validating `valid_rows` rows would otherwise take over a quarter of the time that
    training does.
    """
    if config.evaluate_steps is not None:
        return config.evaluate_steps
    epoch = rows / (config.batch_size * config.accumulate)
    affordable = epoch * valid_rows / rows * FORWARD / _VALIDATION_SHARE
    return max(_LEAST_BETWEEN, math.ceil(min(max(min(epoch / 2, _MOST_BETWEEN), affordable), epoch)))


def fixed_evaluation_steps(config: TrainingConfig, rows: int) -> int | None:
    """The same of a fixed length: as configured, or None, after each epoch; of `max_steps` an epoch, or more.

    More where that were over 40 evaluations, up to 500 steps, unless `early_stopping` counts them.
    """
    if config.evaluate_steps is not None or config.max_steps is None:
        return config.evaluate_steps
    epoch = max(1, math.ceil(rows / (config.batch_size * config.accumulate)))
    few = 0 if config.early_stopping else math.ceil(config.max_steps / _MOST_EVALUATIONS)
    return max(epoch, min(_MOST_BETWEEN, few))


def expected_steps(config: TrainingConfig, rows: int) -> int:
    """Optimiser steps that a run without a fixed length is likely to take on `rows` rows: ten epochs, or the ceiling.

    Fits on public sets of few classes took four to eight, their patience included; 151 classes took over ten. Of few
    rows an evaluation and those of `patience` take more.
    """
    epochs = math.ceil(_EXPECTED_EPOCHS * rows / (config.batch_size * config.accumulate))
    return min(config.ceiling_steps, max(epochs, (1 + config.patience) * (config.evaluate_steps or _LEAST_BETWEEN)))


def longest_start(config: TrainingConfig, rows: int) -> float:
    """Optimiser steps that `Start` takes at most on `rows` rows: 20 epochs, at most 2,000 steps."""
    return min(_START_EPOCHS * rows / (config.batch_size * config.accumulate), _START_STEPS)


def reason(config: TrainingConfig, evaluations: Sequence[Evaluation], start: Start) -> tuple[str, str]:
    """Why a run without a fixed length ended: (`converged` or `ceiling`, a sentence)."""
    if has_converged(evaluations, config.patience, start):
        return "converged", _converged(evaluations, config.patience, start)
    steps = f"the ceiling of {config.ceiling_steps} steps"
    minutes = f"the ceiling of {config.ceiling_minutes:g} minutes"
    met = steps if evaluations[-1].step >= config.ceiling_steps else minutes
    return "ceiling", f"undertrained: {_falling(evaluations, config.patience)} at {met}"


def fixed_reason(config: TrainingConfig, evaluations: Sequence[Evaluation], start: Start) -> tuple[str, str]:
    """The same for a run of a fixed length: (`converged` where it stopped early, else `fixed`, a sentence)."""
    length = f"{config.max_steps} steps" if config.max_steps else f"{config.epochs:g} epochs"
    if config.early_stopping is not None and has_converged(evaluations, config.early_stopping, start):
        return "converged", f"{_converged(evaluations, config.early_stopping, start)}, of {length} at most"
    slope = slope_per_epoch(evaluations, 1)
    falling = slope is not None and slope < -_LEAST_FALL
    return "fixed", f"fixed: {length}" + (f", {_falling(evaluations, 1)}" if falling else "")


def _converged(evaluations: Sequence[Evaluation], patience: int, start: Start) -> str:
    left = best(evaluations).log_loss < start.log_loss
    where = "converged" if left else "converged to one answer for all rows, as it began"
    return f"{where}: no lower log loss in {patience} evaluations"


def _falling(evaluations: Sequence[Evaluation], patience: int) -> str:
    slope = slope_per_epoch(evaluations, patience)
    if slope is None:
        return "still learning"
    return f"still falling {-slope:.1%} per epoch" if slope < 0 else "not falling"
