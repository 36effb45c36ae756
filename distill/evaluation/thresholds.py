"""How sure an answer must be to be right often enough: a threshold of confidence chosen on a few labelled rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from distill.evaluation.metrics import BoolArray, FloatArray
from distill.evaluation.proportions import exact_lower

RISK = 0.05
_CANDIDATES = 10


@dataclass(frozen=True)
class Threshold:
    """What was chosen. Attributes: value: None where no threshold is safe. rows: N labelled rows that it was chosen on;
    taken: of them at or above it; right: of those. low: the lower bound of the precision there.
    """

    value: float | None
    rows: int
    taken: int = 0
    right: int = 0
    low: float | None = None


def choose_threshold(confidence: FloatArray, correct: BoolArray, precision: float) -> Threshold:
    """The lowest threshold above which answers are right in a share of at least `precision`, at a risk of 5% in all.

    Ten candidates take 10%, 20%, … of the rows, the surest first, with all rows that are as sure as the last. Each is
    tested by the exact lower bound of its precision at a tenth of the risk, so that the best of ten is no better for
    having been the best. All right answers of 51 rows are the fewest that show a precision of 0.9.

    Args: confidence: float (N,). correct: bool (N,), whether each answer is right.
    Source: Angelopoulos et al. 2021, "Learn then Test", arXiv:2110.01052, section 2, with Bonferroni's correction.
    """
    rows = len(confidence)
    if not rows:
        return Threshold(None, 0)
    ordered = np.sort(confidence)[::-1]
    ends = {max(1, round(rows * step / _CANDIDATES)) for step in range(1, _CANDIDATES + 1)}
    candidates = sorted({float(ordered[end - 1]) for end in ends})
    for value in candidates:
        taken = confidence >= value
        found, right = int(taken.sum()), int(correct[taken].sum())
        low = exact_lower(right, found, RISK / len(candidates))
        if low >= precision:
            return Threshold(value, rows, found, right, low)
    return Threshold(None, rows)
