"""How often a model is right where it says how sure it is: the bins of a reliability diagram."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from distill.core.files import Json
from distill.evaluation.metrics import ECE_BINS
from distill.evaluation.scored import Scored


def reliability(seeds: Sequence[Scored]) -> list[Json]:
    """The bins that hold a decision, by rising confidence, over all seeds.

    Args: seeds: one model on the same rows in each seed, calibrated.
    Returns: of each `decisions`, their number, the mean over seeds; `confidence`, the mean of what the model says; and
        `right`, the share that is right. Equal-width bins ((b−1)/15, b/15], as of `Tally.ece`, which is the mean gap
        between the two, each bin by its decisions.
    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", arXiv:1706.04599, equations 1 and 2.
    """
    said, right = (np.concatenate(parts) for parts in zip(*map(_decisions, seeds), strict=True))
    bins = np.clip(np.ceil(said * ECE_BINS).astype(np.int64) - 1, 0, ECE_BINS - 1)
    found = []
    for place in np.unique(bins):
        inside = bins == place
        found.append(
            {
                "decisions": float(inside.sum() / len(seeds)),
                "confidence": float(said[inside].mean()),
                "right": float(right[inside].mean()),
            }
        )
    return found


def _decisions(scored: Scored) -> tuple[np.ndarray, np.ndarray]:
    """Confidence (N·D,) and whether it is right (N·D,) of every decision."""
    objective, logits = scored.space.objective, np.asarray(scored.logits, np.float64)
    gold = objective.gold_decisions(np.asarray(scored.target, np.float64))
    right = objective.correct(objective.decisions(logits), gold)
    return objective.confidence(objective.probabilities(logits)).ravel(), right.ravel()
