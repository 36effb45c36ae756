"""The two lengths of a training run: until it has learned, or fixed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_model
from transformers import PreTrainedModel

from distill.core.progress import note
from distill.training import checkpoints, convergence, stretch
from distill.training.collapse import require_finite_loss
from distill.training.config import TrainingConfig
from distill.training.stopping import StopWhenConverged, evaluations, is_over, saved_history
from distill.training.stretch import Stretch
from distill.training.trainer import DistillTrainer

MakeTrainer = Callable[..., DistillTrainer]
_HIDDEN = {"minutes", "runtime", "samples_per_second", "steps_per_second"}


@dataclass(frozen=True)
class End:
    """How a training run ended; the model holds the weights that are kept.

    Attributes:
        trainer: of its last stretch. step: whose weights are kept. steps: taken in all. ended: `converged`, `ceiling`
        or `fixed`. reason: the same as a sentence. slope: of the log loss per epoch, relative.
        log_history: of every stretch.
    """

    trainer: DistillTrainer
    step: int
    steps: int
    ended: str
    reason: str
    slope: float | None
    log_history: Sequence[Mapping[str, Any]]

    def figures(self) -> dict[str, Any]:
        """What `quality.json` says of the run."""
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
    make: MakeTrainer, model: PreTrainedModel, config: TrainingConfig, rows: int, valid_rows: int, folder: Path
) -> End:
    """Train at a constant rate until log loss stops falling or a ceiling is met, then decay from the best checkpoint.

    Warm-up, constant rate and a short decay need no end known beforehand (Hu et al. 2024, MiniCPM, arXiv:2404.06395,
    section 4). Departure: the decay begins at the checkpoint with the lowest log loss, not at the last one.

    Args: make: a trainer of a stretch, with further callbacks. rows, valid_rows: of train and validation.
    """
    first = stretch.plateau(config, rows, valid_rows, folder)
    history = saved_history(first.folder)
    if not (history and (is_over(history, config) or history_ends(history, first))):
        make(first, StopWhenConverged(config)).go_on()
        history = saved_history(first.folder)
    found = evaluations(history)
    start = convergence.best(found)
    require_finite_loss(start.log_loss, config.learning_rate or 0)
    ended, reason = convergence.reason(config, found)
    note(f"{reason}; the rate decays from step {start.step} on")
    second = stretch.decay(config, first, start.step)
    trainer = make(second)
    trainer.go_on(checkpoints.of_step(start.step, first.folder))
    step = trainer.state.best_global_step or start.step
    load_model(model, checkpoints.of_step(step, second.folder, first.folder) / "model.safetensors")
    assert second.steps is not None
    steps = found[-1].step + second.steps - start.step
    decayed = [entry for entry in trainer.state.log_history if entry["step"] > start.step]
    slope = convergence.slope_per_epoch(found, config.patience)
    return End(trainer, step, steps, ended, reason, slope, [*history, *decayed])


def for_fixed_length(
    make: MakeTrainer, model: PreTrainedModel, config: TrainingConfig, rows: int, valid_rows: int, folder: Path
) -> End:
    """Train for the config's epochs or steps; keep the last weights, or those with the lowest log loss."""
    every = convergence.evaluation_steps(config, rows, valid_rows) if config.max_steps else None
    part = stretch.fixed(config, folder, every)
    trainer = make(part)
    trainer.go_on()
    step = trainer.state.global_step
    if config.checkpoint == "best":
        step = trainer.state.best_global_step or step
        load_model(model, checkpoints.of_step(step, part.folder) / "model.safetensors")
    history = trainer.state.log_history
    found = evaluations(history)
    slope = convergence.slope_per_epoch(found, 1)
    return End(
        trainer, step, trainer.state.global_step, "fixed", convergence.fixed_reason(config, found), slope, history
    )


def history_ends(log_history: Sequence[Mapping[str, Any]], part: Stretch) -> bool:
    """Whether a stretch was evaluated at its last step."""
    return part.steps is not None and evaluations(log_history)[-1].step >= part.steps


def _evaluation(entry: Mapping[str, Any]) -> dict[str, float]:
    """The figures of one evaluation. Times are left out: a run that is repeated leaves the same bytes."""
    figures = {name.removeprefix("eval_"): value for name, value in entry.items()}
    epoch, step = figures.pop("epoch"), figures.pop("step")
    return {"epoch": round(epoch, 4), "step": step, **{k: v for k, v in figures.items() if k not in _HIDDEN}}
