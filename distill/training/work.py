"""How long a training run is, before it is run."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from distill.core.work import Work
from distill.training.config import TrainingConfig
from distill.training.convergence import evaluation_steps, expected_steps, fixed_evaluation_steps


def optimiser_steps(rows: int, config: TrainingConfig) -> int:
    """Optimiser steps that `fit` takes on `rows` rows: of a fixed length, or the most before it ends by itself."""
    if config.converges:
        return config.ceiling_steps
    if config.max_steps:
        return config.max_steps
    assert config.epochs is not None
    batches = math.ceil(rows / config.batch_size)
    return max(1, math.ceil(config.epochs * max(1, math.ceil(batches / config.accumulate))))


def fit_work(config: TrainingConfig, rows: int, valid_rows: int, like: str | None = None) -> Work:
    """The work of a training run on `rows` rows, with `valid_rows` rows read at each of its evaluations."""
    batch, most = config.batch_size * config.accumulate, optimiser_steps(rows, config)
    if config.converges and rows:
        every: float = evaluation_steps(config, rows, valid_rows)
    else:
        every = fixed_evaluation_steps(config, rows) or max(1.0, rows / batch)
    return Work(
        steps=expected_steps(config, rows) if config.converges else most,
        most_steps=most,
        batch=batch,
        every=every,
        valid_rows=valid_rows,
        most_minutes=config.ceiling_minutes if config.converges else math.inf,
        like=like,
    )


def in_all(parts: Iterable[Work]) -> Work:
    """The work of one run that takes the steps of several, at the pace of the last."""
    *others, last = parts
    steps, most = (sum(getattr(one, name) for one in others) for name in ("steps", "most_steps"))
    return replace(last, steps=last.steps + steps, most_steps=last.most_steps + most) if others else last
