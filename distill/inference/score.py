"""Records to logits: rendered and tokenised ahead in a thread, batched by length, windows pooled to records."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.core.rendering import Encoded, Renderer
from distill.inference.collate import collate, pad_id
from distill.inference.runner import Runner
from distill.inference.token_budget import batches

Row = Mapping[str, Any]
Progress = Callable[[int], None]

_CHUNK_ROWS = 1024
_CHUNKS_AHEAD = 2


@dataclass(frozen=True)
class Scores:
    """What a model says of N records, in their order.

    Attributes:
        logits: float32 (N, C), NaN and infinity as the model gave them; (0, 0) without records.
        tokens: int64 (N,), tokens of the rendered text before any cut, special tokens not counted.
        cut_tokens: int64 (N,), how many of those no window reads.
    """

    logits: NDArray[np.float32]
    tokens: NDArray[np.int64]
    cut_tokens: NDArray[np.int64]


def score(
    runner: Runner,
    renderer: Renderer,
    rows: Iterable[Row],
    *,
    batch_tokens: int = 4096,
    max_rows: int = 64,
    on_progress: Progress | None = None,
) -> Scores:
    """Logits of records under a view; a record's logits depend on its neighbours by float noise at most.

    Args: batch_tokens: most padded tokens of a batch. max_rows: most windows of a batch.
        on_progress: called after each batch with the number of rows done so far.
    """
    chunks = _chunks(rows, _CHUNK_ROWS)
    parts = list(
        score_chunks(runner, renderer, chunks, batch_tokens=batch_tokens, max_rows=max_rows, on_progress=on_progress)
    )
    if not parts:
        return Scores(np.empty((0, 0), np.float32), np.empty(0, np.int64), np.empty(0, np.int64))
    return Scores(
        np.concatenate([part.logits for part in parts]),
        np.concatenate([part.tokens for part in parts]),
        np.concatenate([part.cut_tokens for part in parts]),
    )


def score_chunks(
    runner: Runner,
    renderer: Renderer,
    chunks: Iterable[Sequence[Row]],
    *,
    batch_tokens: int = 4096,
    max_rows: int = 64,
    on_progress: Progress | None = None,
) -> Iterator[Scores]:
    """Scores of each chunk of rows, in turn; the next chunks are tokenised meanwhile.

    Batches are formed in length order over all windows of a chunk and never cross it, so a chunk's scores depend on
    its own rows only. Arguments as in `score`; chunks must not be empty.
    """
    pad, rule = pad_id(renderer.tokenizer), _pool_rule(renderer)
    finished = 0
    for encoded in _tokenised_ahead(renderer, chunks):
        windows = [window for row in encoded for window in row.windows]
        parts: list[tuple[NDArray[np.int64], NDArray[np.float32]]] = []
        scored = 0
        for indices in batches([len(window.ids) for window in windows], batch_tokens, max_rows):
            parts.append((indices, runner.logits(collate([windows[index] for index in indices], pad))))
            scored += len(indices)
            if on_progress:
                on_progress(finished + len(encoded) * scored // len(windows))
        finished += len(encoded)
        logits = pool_windows(_in_order(parts), [len(row.windows) for row in encoded], rule)
        yield Scores(logits, _counts(encoded, "tokens"), _counts(encoded, "cut_tokens"))


def pool_windows(logits: NDArray[np.float32], counts: Sequence[int], rule: str) -> NDArray[np.float32]:
    """Logits of windows (W, C) to logits of records (N, C).

    Args: counts: windows of each record, ≥ 1, summing to W. rule: `mean` or `max`, of each class by itself.
    """
    starts = np.cumsum([0, *counts[:-1]])
    if rule == "max":
        return np.maximum.reduceat(logits, starts, axis=0)
    sums = np.add.reduceat(logits.astype(np.float64), starts, axis=0)
    means: NDArray[np.float32] = (sums / np.asarray(counts)[:, None]).astype(np.float32)
    return means


def _tokenised_ahead(renderer: Renderer, chunks: Iterable[Sequence[Row]]) -> Iterator[list[Encoded]]:
    """Chunks as windows, in order; one thread stays a bounded number of chunks ahead of the reader."""
    waiting: deque[Future[list[Encoded]]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="tokenise") as thread:
        for chunk in chunks:
            waiting.append(thread.submit(renderer.encode_batch, chunk))
            if len(waiting) > _CHUNKS_AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _chunks(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    source = iter(rows)
    while chunk := list(islice(source, size)):
        yield chunk


def _in_order(parts: Sequence[tuple[NDArray[np.int64], NDArray[np.float32]]]) -> NDArray[np.float32]:
    """Logits of batches put back at the indices that they were taken from."""
    indices = np.concatenate([taken for taken, _ in parts])
    logits = np.concatenate([scored for _, scored in parts])
    ordered = np.empty_like(logits)
    ordered[indices] = logits
    return ordered


def _pool_rule(renderer: Renderer) -> str:
    return str((renderer.windows or {}).get("pool", "mean"))


def _counts(encoded: Sequence[Encoded], name: str) -> NDArray[np.int64]:
    return np.array([getattr(row, name) for row in encoded], np.int64)
