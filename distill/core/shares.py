"""Shares as people write them."""

from __future__ import annotations


def share_of(text: str) -> float | None:
    """The number that `0.3` or `30%` stands for, whatever its size; None for anything else."""
    number, sign, rest = text.partition("%")
    try:
        share = float(number) / (100 if sign else 1)
    except ValueError:
        return None
    return None if rest else share
