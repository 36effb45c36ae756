"""A neural classifier as a scorer: batched by length, windows pooled to records."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from distill.core.progress import read
from distill.core.rendering import Encoded, Renderer, Window
from distill.inference.collate import collate
from distill.inference.runner import Runner
from distill.inference.scorer import Logits, Progress, Row, Scorer
from distill.inference.token_budget import batches
from distill.inference.tokenisers import Tokenisers


class RunnerScorer(Scorer):
    """A view's renderer in front of a runner; a record's logits depend on its neighbours by float noise at most.

    Args: batch_tokens: most padded tokens of a batch. max_rows: most windows of a batch; 1 where a record's logits
        depend on what shares its batch.
    Attributes: renderer: what `prepare` reads records with.
    """

    def __init__(
        self, runner: Runner, renderer: Renderer, *, batch_tokens: int = 4096, max_rows: int = 64, tokenisers: int = 0
    ) -> None:
        self.renderer, self._runner = renderer, runner
        self._encoder = Tokenisers(renderer, tokenisers) if tokenisers else renderer
        self._batch_tokens, self._max_rows = batch_tokens, max_rows
        self._pool = str((renderer.windows or {}).get("pool", "mean"))
        self.weights = getattr(runner, "weights", {})

    def prepare(self, rows: Sequence[Row]) -> list[Encoded]:
        """Records as windows of token ids, tokenised together."""
        return self._encoder.encode_batch(rows)

    def answer(self, prepared: Sequence[Encoded], on_progress: Progress | None = None) -> Logits:
        """Logits (N, C) of N ≥ 1 records. Batches are formed in length order over all their windows.

        Args: on_progress: told after each batch the number of records done so far.
        """
        windows = [window for item in prepared for window in item.windows]
        parts: list[tuple[NDArray[np.int64], Logits]] = []
        lengths, done = [len(window.ids) for window in windows], 0
        for indices in batches(lengths, self._batch_tokens, self._max_rows):
            parts.append((indices, self.window_logits([windows[index] for index in indices])))
            done += len(indices)
            read(tokens=sum(lengths[index] for index in indices))
            if on_progress:
                on_progress(len(prepared) * done // len(windows))
        return pool_windows(_in_order(parts), [len(item.windows) for item in prepared], self._pool)

    def keys(self, prepared: Sequence[Encoded]) -> list[Hashable]:
        """The token ids and segment ids of all windows."""
        return [tuple((tuple(one.ids), tuple(one.type_ids)) for one in item.windows) for item in prepared]

    def window_logits(self, windows: Sequence[Window]) -> Logits:
        """Logits (W, C) of W windows as one batch, padded to the longest of them.

        The way to tensors of a chosen batch size and length: parity tries its grid through it.
        """
        return self._runner.logits(collate(windows, self.renderer.pad_id))


def pool_windows(logits: Logits, counts: Sequence[int], rule: str) -> Logits:
    """Logits of windows (W, C) to logits of records (N, C).

    Args: counts: windows of each record, ≥ 1, summing to W. rule: `mean` or `max`, of each class by itself.
    """
    starts = np.cumsum([0, *counts[:-1]])
    if rule == "max":
        return np.maximum.reduceat(logits, starts, axis=0)
    sums = np.add.reduceat(logits.astype(np.float64), starts, axis=0)
    means: Logits = (sums / np.asarray(counts)[:, None]).astype(np.float32)
    return means


def _in_order(parts: Sequence[tuple[NDArray[np.int64], Logits]]) -> Logits:
    """Logits of batches put back at the indices that they were taken from."""
    indices = np.concatenate([taken for taken, _ in parts])
    logits = np.concatenate([scored for _, scored in parts])
    ordered = np.empty_like(logits)
    ordered[indices] = logits
    return ordered
