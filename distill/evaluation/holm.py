"""Many comparisons in one table: p-values corrected for how many there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from distill.core.files import Json
from distill.core.finite import finite

LEVEL = 0.05
"""Under which a corrected p-value is called a difference."""


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjusted p-values: under 0.05 for no true null hypothesis of the whole set in at least 19 sets of 20.

    Formula: with p₁ ≤ … ≤ p_m, adjusted p_i = max over j ≤ i of min(1, (m − j + 1)·p_j). None stays None and does not
    count. Source: Holm 1979, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6. It holds however the comparisons depend on each other.
    """
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    found: list[float | None] = [None] * len(p_values)
    least = 0.0
    for rank, (p, place) in enumerate(known):
        least = max(least, min(1.0, (len(known) - rank) * p))
        found[place] = least
    return found


def corrected(rows: Sequence[Json]) -> list[Json]:
    """The differences of one table with `p_holm` after their `p_value`, never under it.

    R resamples cannot tell p-values under 2/R apart, which forty comparisons would have to be; so the correction is of
    `evidence`, which takes their tail from a curve, and which is taken out here.

    Args: rows: with `p_value` and `evidence`, as `Figure.mean_difference` gives them.
    """
    adjusted = holm([row["evidence"] for row in rows])
    return [_with(row, p) for row, p in zip(rows, adjusted, strict=True)]


def is_shown(difference: Mapping[str, Any]) -> bool:
    """Whether a difference is shown: by its corrected p-value, and in older reports by its interval."""
    p, low, high = (finite(difference.get(key)) for key in ("p_holm", "low", "high"))
    if p is not None:
        return p < LEVEL
    return low is not None and high is not None and not low <= 0 <= high


def _with(row: Json, p: float | None) -> Json:
    found: Json = {}
    for key, value in row.items():
        if key != "evidence":
            found[key] = value
        if key == "p_value":
            found["p_holm"] = None if p is None or value is None else max(p, value)
    return found
