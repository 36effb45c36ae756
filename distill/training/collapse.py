"""The guard against runs that end predicting one class, which a trainer reports as a success."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from distill.core.errors import GateFailed
from distill.core.objectives.objective import Objective
from distill.evaluation.calibration import fit_temperature
from distill.evaluation.metrics import log_loss, prior_logits
from distill.training.class_shares import log_loss_to_beat


def require_finite(logits: NDArray[np.float32], learning_rate: float) -> None:
    """Refuse a trained model whose logits are not numbers. Raises: GateFailed with advice."""
    if not np.isfinite(logits).all():
        raise _diverged(learning_rate)


def require_finite_loss(log_loss: float, learning_rate: float) -> None:
    """Refuse a run none of whose evaluations has a finite log loss. Raises: GateFailed with advice."""
    if not math.isfinite(log_loss):
        raise _diverged(learning_rate)


def require_spread(
    logits: NDArray[np.float32],
    target: NDArray[np.float32],
    labels: Sequence[str],
    objective: Objective,
    learning_rate: float,
    *,
    stopped: bool = False,
) -> None:
    """Refuse a trained model that gives every validation row the same answer while gold does not.

    A model whose probabilities tell rows apart although one class always leads, as with rare classes, has not:
    its log loss is under that of the class shares.

    Args: logits: float32 (N, K), target: float32 (N, C), both of the validation split. stopped: the run was ended
        because its log loss did not fall. Raises: GateFailed with advice.
    """
    if objective.collapsed(logits, target) and not _knows(logits, target, objective):
        answer = objective.answer(objective.decisions(logits[:1])[0], labels)
        raise GateFailed(
            f"training collapsed: every validation row is predicted '{answer}'",
            found=f"learning rate {learning_rate:.2g}",
            do=_LONGER if stopped else _ADVICE,
        )


def _knows(logits: NDArray[np.float32], target: NDArray[np.float32], objective: Objective) -> bool:
    """Whether log loss, after the best temperature, is under that of the split's own class shares."""
    calibrated = logits / fit_temperature(logits, target, objective)
    shares = prior_logits(target.mean(axis=0), objective)
    return log_loss(calibrated, target, objective) < log_loss_to_beat(shares, target, objective)


def _diverged(learning_rate: float) -> GateFailed:
    found = f"learning rate {learning_rate:.2g}"
    return GateFailed("training diverged: logits are not finite", found=found, do=_ADVICE)


_ADVICE = "lower the learning rate (by 3 to 10 times), raise warmup, train for more steps, or try another seed"
_LONGER = (
    "let it train longer: raise training.patience (training.early_stopping, of a fixed length), or give more epochs by "
    "training.epochs; where that does not help, try another learning rate or seed"
)
