"""An opened model, whatever it is made of: records to logits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from distill.core.rendering import Renderer
from distill.inference.runner import Runner
from distill.inference.score import Progress, Row, Scores, score, score_chunks


class Scorer:
    """Base of all opened models; labelling and predictions take one and ask no more of it.

    Parity and latency look at the batches themselves, so they take the runner inside.
    """

    def score(self, rows: Sequence[Row], on_progress: Progress | None = None) -> Scores:
        """Logits (N, C) of records, in their order.

        Args: on_progress: told the number of rows done so far.
        """
        raise NotImplementedError

    def score_chunks(self, chunks: Iterable[Sequence[Row]], on_progress: Progress | None = None) -> Iterator[Scores]:
        """The scores of each chunk in turn, which depend on the chunk's own rows only."""
        finished = 0
        for chunk in chunks:
            yield self.score(chunk)
            finished += len(chunk)
            if on_progress:
                on_progress(finished)


class RunnerScorer(Scorer):
    """A neural classifier: a view's renderer in front of a runner.

    Args: batch_tokens: most padded tokens of a batch. max_rows: most windows of a batch; 1 where a record's logits
        depend on what shares its batch.
    """

    def __init__(self, runner: Runner, renderer: Renderer, *, batch_tokens: int = 4096, max_rows: int = 64) -> None:
        self.runner, self.renderer = runner, renderer
        self._batch_tokens, self._max_rows = batch_tokens, max_rows

    def score(self, rows: Sequence[Row], on_progress: Progress | None = None) -> Scores:
        """Logits (N, C) of records, in their order; the next rows are tokenised meanwhile."""
        return score(
            self.runner,
            self.renderer,
            rows,
            batch_tokens=self._batch_tokens,
            max_rows=self._max_rows,
            on_progress=on_progress,
        )

    def score_chunks(self, chunks: Iterable[Sequence[Row]], on_progress: Progress | None = None) -> Iterator[Scores]:
        """The scores of each chunk in turn; the next chunks are tokenised meanwhile."""
        return score_chunks(
            self.runner,
            self.renderer,
            chunks,
            batch_tokens=self._batch_tokens,
            max_rows=self._max_rows,
            on_progress=on_progress,
        )
