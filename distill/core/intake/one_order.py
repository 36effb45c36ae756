"""The order in which records are compared whose fields may trade places: one for both orders of an example, or both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from distill.core.intake.compared_text import compared
from distill.core.records import Record
from distill.core.rendering import swapped
from distill.core.swap import ViewSwap


def in_one_order(record: Record, swap: ViewSwap | None) -> Record:
    """Of a record and the one with fields and gold exchanged always the same one; without a swap the record.

    It is the one whose fields come first as they are compared, and of equal ones that whose gold does.
    """
    return record if swap is None else min(record, _exchanged(record, swap), key=_content)


def both_orders(record: Record, swap: ViewSwap | None) -> Iterator[Record]:
    """A record, and the one with fields and gold exchanged; without a swap the record alone."""
    yield record
    if swap is not None:
        yield _exchanged(record, swap)


def _exchanged(record: Record, swap: ViewSwap) -> Record:
    target = record.target
    if target is not None:
        # Files may still have rare classes: they come after those of the task, and stay.
        target = np.concatenate([target[swap.order], target[len(swap.order) :]])
    return replace(record, fields=swapped(record.fields, swap.fields), target=target)


def _content(record: Record) -> tuple[list[str], bytes]:
    gold = b"" if record.target is None else record.target.tobytes()
    return [compared(text) for text in record.fields.values()], gold
