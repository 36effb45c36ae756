"""An opened model, whatever it is made of: records to logits, in two halves."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from distill.core.staged import Staged

Row = Mapping[str, Any]
Logits = NDArray[np.float32]
Progress = Callable[[int], None]
ItemT = TypeVar("ItemT")

CHUNK_ROWS = 1024
_CHUNKS_AHEAD = 2


class Prepared(Protocol):
    """A record as a model reads it; `distill.core.rendering.Encoded` is one."""

    @property
    def tokens(self) -> int:
        """Tokens of the rendered text before any cut, special tokens not counted."""

    @property
    def cut_tokens(self) -> int:
        """How many of those the model does not read."""

    @property
    def read_tokens(self) -> int:
        """Tokens that the model reads: of all windows, special tokens included."""


@dataclass(frozen=True)
class Scores:
    """What a model says of N records, in their order.

    Attributes:
        logits: float32 (N, C), NaN and infinity as the model gave them; (0, 0) without records.
        tokens: int64 (N,), tokens of the rendered text before any cut, special tokens not counted.
        cut_tokens: int64 (N,), how many of those the model does not read.
        staged: of a cascade, which stage labelled each row; None of other models, and of rows put together.
    """

    logits: Logits
    tokens: NDArray[np.int64]
    cut_tokens: NDArray[np.int64]
    staged: Staged | None = None


class Scorer:
    """Base of all opened models: a family's own says how records are prepared and answered.

    Labelling and predictions take the whole; the latency benchmark times the halves.

    Attributes: most_failed: the largest share of the records of a split, or of a label store, that may be left without
        an answer, as NaN logits; None: every record has one. Such a row is no label, and is measured as if all classes
        were equally likely. weights: how many numbers of each type it computes with, as far
        as it can tell.
    """

    most_failed: float | None = None
    weights: Mapping[str, int] = MappingProxyType({})

    def prepare(self, rows: Sequence[Row]) -> Sequence[Prepared]:
        """Records as the model reads them, in their order: rendered and tokenised."""
        raise NotImplementedError

    def answer(self, prepared: Sequence[Any], on_progress: Progress | None = None) -> Logits:
        """Logits (N, C) of N ≥ 1 records that `prepare` returned, in their order.

        Args: on_progress: told the number of records done so far, where that takes more than one pass.
        """
        raise NotImplementedError

    def keys(self, prepared: Sequence[Any]) -> Sequence[Hashable] | None:
        """What each record is to the model: records of equal keys have equal logits, up to float noise.

        None of a model that does not say.
        """
        return None

    def staged(self, prepared: Sequence[Any]) -> Staged | None:
        """Which stage labelled each of the records that `answer` had last; None of a model without stages."""
        return None

    def score(self, rows: Sequence[Row], on_progress: Progress | None = None) -> Scores:
        """Logits (N, C) of records, in their order: prepared and answered 1024 at a time.

        Args: on_progress: told the number of rows done so far.
        """
        parts = list(self.score_chunks(pieces(rows), on_progress))
        if not parts:
            return Scores(np.empty((0, 0), np.float32), np.empty(0, np.int64), np.empty(0, np.int64))
        return Scores(
            np.concatenate([part.logits for part in parts]),
            np.concatenate([part.tokens for part in parts]),
            np.concatenate([part.cut_tokens for part in parts]),
        )

    def score_chunks(self, chunks: Iterable[Sequence[Row]], on_progress: Progress | None = None) -> Iterator[Scores]:
        """The scores of each chunk in turn, which depend on its own rows only; the next chunks are prepared meanwhile.

        Args: chunks: none of them empty. on_progress: told the number of rows done so far.
        """
        finished = 0
        for prepared in _ahead(self.prepare, chunks):
            logits = self.answer(prepared, on_progress and _from(finished, on_progress))
            finished += len(prepared)
            if on_progress:
                on_progress(finished)
            counts = _counts(prepared, "tokens"), _counts(prepared, "cut_tokens")
            yield Scores(logits, *counts, self.staged(prepared))


def pieces(items: Sequence[ItemT]) -> Iterator[Sequence[ItemT]]:
    """The items in turn, 1024 at a time: what `score` prepares and answers at once."""
    for start in range(0, len(items), CHUNK_ROWS):
        yield items[start : start + CHUNK_ROWS]


def answer_in_pieces(scorer: Scorer, prepared: Sequence[Any], on_progress: Progress | None = None) -> Logits:
    """Logits (N, C) of N ≥ 1 prepared records, as many at once as `score` answers."""
    parts: list[Logits] = []
    for some in pieces(prepared):
        parts.append(scorer.answer(some, on_progress and _from(CHUNK_ROWS * len(parts), on_progress)))
    return np.concatenate(parts)


def _ahead(
    prepare: Callable[[Sequence[Row]], Sequence[Prepared]], chunks: Iterable[Sequence[Row]]
) -> Iterator[Sequence[Prepared]]:
    """Chunks prepared, in order; one thread stays a bounded number of chunks ahead of the reader."""
    waiting: deque[Future[Sequence[Prepared]]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="prepare") as thread:
        for chunk in chunks:
            waiting.append(thread.submit(prepare, chunk))
            if len(waiting) > _CHUNKS_AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _from(finished: int, on_progress: Progress) -> Progress:
    """Progress within a chunk as progress of the whole."""
    return lambda done: on_progress(finished + done)


def _counts(prepared: Sequence[Prepared], name: str) -> NDArray[np.int64]:
    return np.array([getattr(item, name) for item in prepared], np.int64)
