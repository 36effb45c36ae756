"""Ending a training run when it has learned, and what its evaluations were."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from distill.training import resume
from distill.training.agreed import agreed
from distill.training.config import TrainingConfig
from distill.training.convergence import Evaluation, Start, has_converged


class StopWhenConverged(TrainerCallback):
    """Ends training when validation log loss has stopped falling, or when its minutes are used up.

    The minutes of an interrupted run count on: each evaluation's are in the Trainer's history.
    """

    def __init__(self, config: TrainingConfig, start: Start) -> None:
        self._config, self._start, self._started, self._before = config, start, 0.0, 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **unused: Any) -> None:
        """Start the clock."""
        self._started, self._before = time.monotonic(), minutes_used(state.log_history)

    def on_evaluate(self, args: Any, state: Any, control: Any, **unused: Any) -> None:
        """Take note of the time and decide."""
        state.log_history[-1]["eval_minutes"] = agreed(self._before + (time.monotonic() - self._started) / 60)
        if is_over(state.log_history, self._config, self._start):
            control.should_training_stop = control.should_save = True


class StopEarly(TrainerCallback):
    """Ends a run of a fixed length before its end, after `early_stopping` evaluations without a lower log loss."""

    def __init__(self, config: TrainingConfig, start: Start) -> None:
        self._config, self._start = config, start

    def on_evaluate(self, args: Any, state: Any, control: Any, **unused: Any) -> None:
        """Decide."""
        if stops_early(state.log_history, self._config, self._start):
            control.should_training_stop = control.should_save = True


def stops_early(log_history: Sequence[Mapping[str, Any]], config: TrainingConfig, start: Start) -> bool:
    """Whether a run of a fixed length has seen enough evaluations without a lower log loss."""
    patience = config.early_stopping
    return patience is not None and has_converged(evaluations(log_history), patience, start)


def is_over(log_history: Sequence[Mapping[str, Any]], config: TrainingConfig, start: Start) -> bool:
    """Whether a run has learned, or has used up its minutes or steps."""
    found = evaluations(log_history)
    if not found:
        return False
    used_up = minutes_used(log_history) >= config.ceiling_minutes or found[-1].step >= config.ceiling_steps
    return used_up or has_converged(found, config.patience, start)


def evaluations(log_history: Sequence[Mapping[str, Any]]) -> list[Evaluation]:
    """The evaluations in a Trainer's history, in order; a log loss that is not a number counts as infinite."""
    found = [(entry, entry["eval_log_loss"]) for entry in log_history if "eval_log_loss" in entry]
    return [Evaluation(e["step"], e["epoch"], loss if math.isfinite(loss) else math.inf) for e, loss in found]


def minutes_used(log_history: Sequence[Mapping[str, Any]]) -> float:
    """Minutes of training until the last evaluation."""
    return next((float(entry["eval_minutes"]) for entry in reversed(log_history) if "eval_minutes" in entry), 0.0)


def saved_history(folder: Path) -> list[dict[str, Any]]:
    """The history in the last whole checkpoint of `folder`; empty without one."""
    last = resume.last_complete(folder)
    return json.loads((last / resume.STATE).read_bytes())["log_history"] if last else []
