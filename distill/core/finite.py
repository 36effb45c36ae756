"""Numbers in JSON, where any value may stand in their place."""

from __future__ import annotations

import math


def finite(value: object) -> float | None:
    """A finite number as a float; None for anything else, true and false too."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
