"""The guard against runs that end predicting one class, which a trainer reports as a success."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from distill.core.errors import GateFailed
from distill.evaluation.calibration import fit_temperature
from distill.evaluation.metrics import log_loss, prior_logits

_LEAST = 0.99  # a hundredth under the log loss of the class shares


def require_finite(logits: NDArray[np.float32], learning_rate: float) -> None:
    """Refuse a trained model whose logits are not numbers. Raises: GateFailed with advice."""
    if not np.isfinite(logits).all():
        raise _diverged(learning_rate)


def require_finite_loss(log_loss: float, learning_rate: float) -> None:
    """Refuse a run none of whose evaluations has a finite log loss. Raises: GateFailed with advice."""
    if not math.isfinite(log_loss):
        raise _diverged(learning_rate)


def require_spread(
    logits: NDArray[np.float32], target: NDArray[np.float32], labels: Sequence[str], kind: str, learning_rate: float
) -> None:
    """Refuse a trained model that gives every validation row the same answer while gold does not.

    A model whose probabilities tell rows apart although one class always leads, as with rare classes, has not:
    its log loss is under that of the class shares.

    Args: logits, target: float32 (N, C) of the validation split. Raises: GateFailed with advice.
    """
    answers = logits.argmax(1) if kind == "single" else logits > 0
    gold = target.argmax(1) if kind == "single" else target > 0.5
    if (answers == answers[0]).all() and not (gold == gold[0]).all() and not _knows(logits, target, kind):
        answer = labels[int(answers[0])] if kind == "single" else "the same labels"
        raise GateFailed(
            f"training collapsed: every validation row is predicted '{answer}'",
            found=f"learning rate {learning_rate:.2g}",
            do=_ADVICE,
        )


def _knows(logits: NDArray[np.float32], target: NDArray[np.float32], kind: str) -> bool:
    """Whether log loss, after the best temperature, is under that of the split's own class shares."""
    shares = np.tile(prior_logits(target.mean(axis=0), kind), (len(target), 1))
    return log_loss(logits / fit_temperature(logits, target, kind), target, kind) < _LEAST * log_loss(
        shares, target, kind
    )


def _diverged(learning_rate: float) -> GateFailed:
    found = f"learning rate {learning_rate:.2g}"
    return GateFailed("training diverged: logits are not finite", found=found, do=_ADVICE)


_ADVICE = "lower the learning rate (by 3 to 10 times), raise warmup, train for more steps, or try another seed"
