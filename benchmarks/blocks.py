"""Requests timed in blocks, each watched, and measured again where something disturbed it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.disturbance import Reading, Watch
from benchmarks.timing import NS_PER_S, Clock, Timing

LEAST = 40
"""Requests that a process answers, however long they take."""
_BLOCK_S = 0.3
_FEWEST, _MOST = 5, 50
_AGAIN, _IN_VAIN = 2, 3


class Block(NamedTuple):
    """Requests that were timed one after another. Attributes: reading: of the quietest time that they were measured.
    repeats: how often they were measured again.
    """

    timings: list[Timing]
    reading: Reading
    repeats: int


@dataclass(frozen=True)
class Pace:
    """How far a process goes. Attributes: until_ns: when it begins no further block, after `LEAST` requests; None: it
    answers all.
    """

    until_ns: int | None = None

    def ends(self, done: int, clock: Clock) -> bool:
        """Whether no block begins after `done` requests."""
        return self.until_ns is not None and done >= LEAST and clock() >= self.until_ns


def time_blocks(
    count: int,
    ask: Callable[[int], Timing],
    watch: Watch,
    clock: Clock,
    pace: Pace | None = None,
    first: Sequence[Timing] = (),
) -> list[Block]:
    """Requests 0 to `count` in order, in blocks of about 0.3 s.

    A disturbed block is measured again, up to twice, and its quietest time is kept. Where three blocks in a row never
    had quiet, the machine is taken to be busy and no further one is repeated: their readings tell.

    Args: ask: answers the request at a position. pace: None: all requests. first: timings of the warm-up, from which
        the size of a block is set.
    """
    pace, blocks, in_vain = pace or Pace(), list[Block](), 0
    size, done = _size(first), 0
    while done < count and not pace.ends(done, clock):
        positions = range(done, min(done + size, count))
        tries = [_block(positions, ask, watch)]
        again = 0 if in_vain >= _IN_VAIN else _AGAIN
        while tries[-1].reading.reasons and len(tries) <= again and not pace.ends(LEAST, clock):
            tries.append(_block(positions, ask, watch))
        quietest = min(tries, key=lambda one: (len(one.reading.reasons), one.reading.loop))
        in_vain = in_vain + 1 if quietest.reading.reasons else 0
        blocks.append(quietest._replace(repeats=len(tries) - 1))
        done = positions.stop
    return blocks


def _block(positions: range, ask: Callable[[int], Timing], watch: Watch) -> Block:
    timings, reading = watch.around(lambda: [ask(position) for position in positions])
    return Block(timings, reading, 0)


def _size(first: Sequence[Timing]) -> int:
    """Requests of a block, by the quicker half of those of the warm-up."""
    if not first:
        return _MOST
    usual = sorted(timing.total_ns for timing in first)[len(first) // 2]
    return max(_FEWEST, min(_MOST, int(_BLOCK_S * NS_PER_S / max(usual, 1))))
