"""What several processes that train together decide by: the first one's figures, so that all decide alike."""

from __future__ import annotations

from typing import TypeVar

from accelerate.utils import broadcast_object_list

from distill.core.processes import world

ValueT = TypeVar("ValueT")


def agreed(value: ValueT) -> ValueT:
    """The first process's value, in every process; each has to ask. Args: value: of this process, picklable."""
    if world() == 1:
        return value
    shared: list[ValueT] = broadcast_object_list([value])
    return shared[0]
