"""Axes: from values to pixels, and the round numbers to mark on them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

Scale = Callable[[float], float]
_FACTOR, _SHARE = 1.35, 0.08  # room on each side of an axis: of a logarithmic one, of the range of a linear one


def linear(low: float, high: float, start: float, end: float) -> Scale:
    """Map [low, high] evenly to [start, end]; everything to the middle when the range is empty."""
    if high <= low:
        return lambda _: (start + end) / 2
    return lambda value: start + (value - low) / (high - low) * (end - start)


def logarithmic(low: float, high: float, start: float, end: float) -> Scale:
    """Map positive [low, high] to [start, end] by the logarithm."""
    inner = linear(math.log(low), math.log(high), start, end)
    return lambda value: inner(math.log(value))


def round_ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten in [low, high], `about` of them give or take a third."""
    if high <= low:
        return [low]
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.75)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten in [low, high]."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
    return [tick for tick in ticks if low <= tick <= high]


def log_range(values: Sequence[float]) -> tuple[float, float]:
    """Bounds of a logarithmic axis: the values with a factor of room on both sides."""
    return min(values) / _FACTOR, max(values) * _FACTOR


def padded_range(values: Sequence[float], least: float = 0.01) -> tuple[float, float]:
    """Bounds of a linear axis: the values with room on both sides, at least `least`."""
    room = max((max(values) - min(values)) * _SHARE, least)
    return min(values) - room, max(values) + room
