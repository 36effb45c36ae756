"""What records cost, from the price of an hour of the machine."""

from __future__ import annotations

from distill.evaluation.entries import LatencyRow
from distill.report import formats

_SECONDS, _RECORDS = 3600, 1e6


def per_million(price: float | None, latency: LatencyRow) -> float | None:
    """What a million records cost at a measured throughput: price / (rows per second · 3600) · 10⁶.

    Args: price: of an hour of the machine that was measured, all its threads. Returns: None without price or rate.
    """
    rate = formats.number(latency.throughput_per_s)
    return None if price is None or not rate else price / (rate * _SECONDS) * _RECORDS
