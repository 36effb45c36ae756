"""What a token schedule is: for each layer of an encoder, how many tokens stand at each of its positions."""

from __future__ import annotations


def is_schedule(values: object) -> bool:
    """Whether this is one: a list of whole numbers from 1 on, each a multiple of the one before."""
    if not isinstance(values, list) or not values or not all(type(one) is int and one > 0 for one in values):
        return False
    return all(now % before == 0 for before, now in zip(values, values[1:], strict=False))
