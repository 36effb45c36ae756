"""A part of a training run: where it keeps checkpoints, when it evaluates and ends, how its learning rate moves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from distill.training import checkpoints
from distill.training.config import TrainingConfig
from distill.training.convergence import decay_steps, evaluation_steps, plateau_ceiling


@dataclass(frozen=True)
class Stretch:
    """One part.

    Attributes:
        folder: of its checkpoints. steps: optimiser step that it ends at, None: after the config's epochs.
        evaluate_steps: optimiser steps between evaluations, None: an epoch. warmup: steps, or under 1 their share.
        schedule: of the learning rate. decay_from: from this step on it falls linearly, to 0 at `steps`, instead.
        at_most: it may end before `steps`.
    """

    folder: Path
    steps: int | None
    evaluate_steps: int | None
    warmup: float
    schedule: str
    decay_from: int | None = None
    at_most: bool = False

    def rate_at(self, step: int) -> float:
        """The learning rate of a decay after `step` steps, as a share of the rate before it."""
        assert self.decay_from is not None and self.steps is not None
        return max(0.0, min(1.0, (self.steps - step) / (self.steps - self.decay_from)))


def fixed(config: TrainingConfig, folder: Path, evaluate_steps: int | None = None) -> Stretch:
    """A whole run of a fixed length. Args: folder: of the run. evaluate_steps: None for after every epoch."""
    return Stretch(folder / checkpoints.FOLDER, config.max_steps, evaluate_steps, config.warmup, config.schedule)


def plateau(config: TrainingConfig, rows: int, valid_rows: int, folder: Path) -> Stretch:
    """Warm-up and the constant rate, up to the ceiling at most. Args: rows, valid_rows: of train and validation."""
    return Stretch(
        folder / checkpoints.FOLDER / "plateau",
        plateau_ceiling(config),
        evaluation_steps(config, rows, valid_rows),
        config.warmup_steps(rows / (config.batch_size * config.accumulate)),
        "constant_with_warmup",
        at_most=True,
    )


def decay(config: TrainingConfig, before: Stretch, start: int) -> Stretch:
    """The linear decay to 0 from step `start` of the plateau `before`."""
    folder, end = before.folder.with_name("decay"), start + decay_steps(config, start)
    return Stretch(folder, end, before.evaluate_steps, before.warmup, before.schedule, decay_from=start)
