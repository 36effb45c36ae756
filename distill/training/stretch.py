"""How far a training run goes: where it keeps checkpoints, when it evaluates and ends, how its learning rate moves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from distill.training import resume
from distill.training.config import TrainingConfig
from distill.training.convergence import evaluation_steps


@dataclass(frozen=True)
class Stretch:
    """The length of a run.

    Attributes:
        folder: of its checkpoints. steps: optimiser step that it ends at, None: after the config's epochs.
        evaluate_steps: optimiser steps between evaluations, None: an epoch. warmup: steps, or under 1 their share.
        schedule: of the learning rate. final_rate: that it comes down to. at_most: it may end before `steps`.
    """

    folder: Path
    steps: int | None
    evaluate_steps: int | None
    warmup: float
    schedule: str
    final_rate: float = 0.0
    at_most: bool = False


def fixed(config: TrainingConfig, folder: Path, evaluate_steps: int | None = None) -> Stretch:
    """A fixed length. Args: folder: of the run. evaluate_steps: None for after every epoch."""
    return Stretch(
        folder / resume.FOLDER,
        config.max_steps,
        evaluate_steps,
        config.warmup,
        config.schedule,
        config.final_learning_rate,
        at_most=config.early_stopping is not None,
    )


def until_converged(config: TrainingConfig, rows: int, valid_rows: int, folder: Path) -> Stretch:
    """Warm-up and a constant rate, up to the ceiling at most. Args: rows, valid_rows: of train and validation."""
    return Stretch(
        folder / resume.FOLDER,
        config.ceiling_steps,
        evaluation_steps(config, rows, valid_rows),
        config.warmup_steps(rows / (config.batch_size * config.accumulate)),
        "constant_with_warmup",
        at_most=True,
    )
