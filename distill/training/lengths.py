"""The two lengths of a training run: until it has learned, or fixed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from distill.core.processes import rank
from distill.training import convergence, resume, stretch
from distill.training.averaging import WeightAverage
from distill.training.collapse import require_finite_loss
from distill.training.config import TrainingConfig
from distill.training.convergence import Start
from distill.training.run import Rows
from distill.training.stopping import (
    StopEarly,
    StopWhenConverged,
    evaluations,
    is_over,
    saved_history,
    stops_early,
)
from distill.training.trainer import DistillTrainer, EvaluateAtEnd

MakeTrainer = Callable[..., DistillTrainer]
_HIDDEN = {"minutes", "runtime", "samples_per_second", "steps_per_second"}


@dataclass(frozen=True)
class End:
    """How a training run ended; the model holds the weights that are kept.

    Attributes:
        trainer: that trained it. step: whose weights are kept. steps: taken in all. ended: `converged`, `ceiling` or
        `fixed`. reason: the same as a sentence. slope: of the log loss per epoch, relative. log_history: the Trainer's.
    """

    trainer: DistillTrainer
    step: int
    steps: int
    ended: str
    reason: str
    slope: float | None
    log_history: Sequence[Mapping[str, Any]]

    def figures(self) -> dict[str, Any]:
        """What `training_history.json` says of the run."""
        history = [_evaluation(entry) for entry in self.log_history if "eval_log_loss" in entry]
        return {
            "step": self.step,
            "steps": self.steps,
            "ended": self.ended,
            "reason": self.reason,
            "slope_per_epoch": None if self.slope is None else round(self.slope, 6),
            "history": history,
        }


def until_converged(
    make: MakeTrainer, model: PreTrainedModel, config: TrainingConfig, rows: Rows, start: Start, folder: Path
) -> End | None:
    """Train at a constant rate until log loss stops falling or a ceiling is met; keep the best average of the weights.

    None in processes that only train along with the first one.

    Args: make: a trainer of a stretch, with further callbacks. rows: of train and validation.
    """
    part = stretch.until_converged(config, len(rows.train), len(rows.valid), folder)
    average = WeightAverage(model, config.average, config.ema)
    trainer = make(part, StopWhenConverged(config, start), average)
    over = is_over(saved_history(part.folder), config, start)
    trainer.accelerator.wait_for_everyone()  # the first process removes what the others have read by now
    if not over:
        trainer.go_on()
    if rank():
        return None
    history = saved_history(part.folder)
    found = evaluations(history)
    best = convergence.best(found)
    require_finite_loss(best.log_loss, trainer.args.learning_rate)
    checkpoint = resume.of_step(best.step, part.folder)
    trainer.restore(checkpoint)  # what is measured, not trained, as it was at that step
    average.load(checkpoint)
    average.apply()
    ended, reason = convergence.reason(config, found, start)
    slope = convergence.slope_per_epoch(found, config.patience)
    return End(trainer, best.step, found[-1].step, ended, reason, slope, history)


def for_fixed_length(
    make: MakeTrainer, model: PreTrainedModel, config: TrainingConfig, rows: Rows, start: Start, folder: Path
) -> End | None:
    """Train for the config's epochs or steps, or fewer; keep the last weights, or those with the lowest log loss.

    None as of `until_converged`.
    """
    part = stretch.fixed(config, folder, convergence.fixed_evaluation_steps(config, len(rows.train)))
    ends = [EvaluateAtEnd()] if config.evaluate_steps else []
    trainer = make(part, *ends, *([StopEarly(config, start)] if config.early_stopping else []))
    over = stops_early(saved_history(part.folder), config, start)
    trainer.accelerator.wait_for_everyone()
    if over:
        trainer.take_last()
    else:
        trainer.go_on()
    if rank():
        return None
    step = trainer.state.global_step
    if config.checkpoint == "best":
        step = trainer.state.best_global_step or step
        trainer.restore(resume.of_step(step, part.folder))
    history = trainer.state.log_history
    found = evaluations(history)
    slope = convergence.slope_per_epoch(found, 1)
    ended, reason = convergence.fixed_reason(config, found, start)
    return End(trainer, step, trainer.state.global_step, ended, reason, slope, history)


def _evaluation(entry: Mapping[str, Any]) -> dict[str, float]:
    """The figures of one evaluation, by name. Times are left out: a run that is repeated leaves the same bytes.

    Sorted, because the Trainer sorts those that it reads back from a checkpoint.
    """
    figures = {name.removeprefix("eval_"): value for name, value in sorted(entry.items())}
    epoch, step = figures.pop("epoch"), figures.pop("step")
    return {"epoch": round(epoch, 4), "step": step, **{k: v for k, v in figures.items() if k not in _HIDDEN}}
