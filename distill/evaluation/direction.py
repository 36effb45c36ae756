"""Which way a metric is better, and how differences in it are counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from distill.core.files import Json

LOWER_IS_BETTER = frozenset({"log_loss", "ece"})


def sign(metric: str) -> int:
    """1 where more is better, −1 where less is."""
    return -1 if metric in LOWER_IS_BETTER else 1


def gain(apart: Mapping[str, Any]) -> Json:
    """A difference as a gain, above 0 where the first model is better: turned round where less is better.

    Args: apart: `{"metric", "difference", "low", "high"}` and more; without a metric it is of one with more better.
    """
    if sign(str(apart.get("metric"))) > 0:
        return dict(apart)
    turned = {"difference": "difference", "low": "high", "high": "low"}
    return {**apart, **{key: _minus(apart.get(other)) for key, other in turned.items()}}


def unit(metric: object) -> tuple[float, int, str]:
    """(factor, decimals, name) in which differences of a metric are told: points of shares, nats of log loss."""
    return (1, 3, "nats") if metric == "log_loss" else (100, 1, "points")


def _minus(value: Any) -> Any:
    return -value if isinstance(value, int | float) else value
