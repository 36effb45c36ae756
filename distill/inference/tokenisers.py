"""Processes that render and tokenise records ahead of the model, where one is too slow for it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain
from multiprocessing import get_context
from typing import TYPE_CHECKING

from distill.core.errors import UserError
from distill.core.rendering import Encoded, Renderer

if TYPE_CHECKING:
    from distill.inference.scorer import Row

_PIECE_ROWS = 128
_POLL_S = 1.0
_renderer: Renderer | None = None  # of a process that tokenises


class Tokenisers:
    """A renderer's `encode_batch` over several processes, which end with the one that has them.

    The main program of whoever uses it is imported again by each, so it must do nothing when it is imported.

    Args: processes: at least 1.
    """

    def __init__(self, renderer: Renderer, processes: int) -> None:
        # spawn: a fork would copy PyTorch's and the tokenizer's threads in the middle of their work.
        own = (renderer, os.getpid())
        self._pool = ProcessPoolExecutor(processes, get_context("spawn"), initializer=_start, initargs=own)

    def encode_batch(self, rows: Sequence[Row]) -> list[Encoded]:
        """Records as windows of token ids, in their order. Raises: UserError when one of the processes was killed."""
        parts = [[dict(row) for row in rows[at : at + _PIECE_ROWS]] for at in range(0, len(rows), _PIECE_ROWS)]
        try:
            return list(chain.from_iterable(self._pool.map(_encode, parts)))
        except BrokenProcessPool:
            do = "give the same command again: finished shards are kept; where memory is short with fewer tokenisers"
            raise UserError("a process that tokenises was killed", where="labelling.tokenisers", do=do) from None


def _start(renderer: Renderer, parent: int) -> None:
    """Keep the renderer, and end when the process that asked is gone: a pool's processes outlive one that is killed."""
    global _renderer
    _renderer = renderer
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_S)
    os._exit(1)


def _encode(rows: Sequence[Row]) -> list[Encoded]:
    assert _renderer is not None
    return _renderer.encode_batch(rows)
