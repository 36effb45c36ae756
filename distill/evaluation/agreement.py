"""How far two judges agree on rows, each row counted as often as it stands for others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from distill.core.files import Json
from distill.evaluation.metrics import FloatArray
from distill.evaluation.proportions import effective_rows, wilson
from distill.evaluation.statistics import Interval


def confusion(first: Sequence[int], second: Sequence[int], weights: FloatArray, classes: int) -> FloatArray:
    """Weights (C, C) of rows by the class that each judge gives them: the first judge's by row."""
    found = np.zeros((classes, classes))
    np.add.at(found, (list(first), list(second)), weights)
    return found


def cohens_kappa(table: FloatArray) -> float | None:
    """Agreement beyond chance: (p_o − p_e) / (1 − p_e), with p_e that of independent judges of the same shares.

    None without rows, and where both judges give all rows one class.

    Source: Cohen 1960, "A coefficient of agreement for nominal scales", Educ. Psychol. Meas. 20 (1).
    """
    total = table.sum()
    if not total:
        return None
    shares = table / total
    expected = float(shares.sum(axis=0) @ shares.sum(axis=1))
    return None if expected >= 1 else float((np.trace(shares) - expected) / (1 - expected))


def weighted_share(hits: Sequence[bool], weights: FloatArray) -> Interval:
    """The weighted share of hits with Wilson's interval over the effective number of rows."""
    rows = effective_rows(weights)
    share = float(weights[np.asarray(hits, bool)].sum() / weights.sum()) if rows else 0.0
    return wilson(share, rows)


def judges(ids: Sequence[str], first: Sequence[str], second: Sequence[str], labels: Sequence[str]) -> Json:
    """Two judges of the same rows: share of equal labels, kappa, and the rows on which they differ."""
    ours, theirs = ([labels.index(name) for name in one] for one in (first, second))
    even = np.ones(len(ids))
    return {
        "rows": len(ids),
        "agreement": weighted_share([a == b for a, b in zip(first, second, strict=True)], even),
        "kappa": cohens_kappa(confusion(ours, theirs, even, len(labels))),
        "disagreements": [
            {"id": name, "first": a, "second": b} for name, a, b in zip(ids, first, second, strict=True) if a != b
        ],
    }
