"""A model's predictions on labelled splits, as prediction files."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from distill.core.predictions import Predictions, write_predictions
from distill.core.progress import Advance, note, progress
from distill.core.record_store import count_records, iter_records
from distill.core.records import Record
from distill.inference.failed_rows import require_few
from distill.inference.scorer import CHUNK_ROWS, Logits, Row, Scorer

_AGAIN = "give the same command again to ask them once more"


def predict(open_scorer: Callable[[], Scorer], records: Path, splits: Iterable[str], folder: Path) -> None:
    """Step body: write `<split>.parquet` for each labelled split; splits that are there are kept.

    Args: open_scorer: opens the model, called once at most. records: the records artifact.
    Raises: GateFailed where more rows of a split are without an answer than the model's may be; it is not written.
    """
    missing = [split for split in splits if not (folder / f"{split}.parquet").exists()]
    if not missing:
        return
    scorer = open_scorer()
    for split in missing:
        with progress(f"predicting {split}", count_records(records, split)) as advance:
            found = _predicted(scorer, iter_records(records, split), advance)
        if scorer.most_failed is not None:
            found = replace(found, logits=_answered(found.logits, split, scorer.most_failed))
        write_predictions(folder / f"{split}.parquet", found)


def _predicted(scorer: Scorer, records: Iterator[Record], advance: Advance) -> Predictions:
    """The predictions for records, of whose texts no more are in memory than are being read."""
    waiting: deque[list[Record]] = deque()

    def fields() -> Iterator[list[Row]]:
        while chunk := list(islice(records, CHUNK_ROWS)):
            waiting.append(chunk)
            yield [record.fields for record in chunk]

    scored = scorer.score_chunks(fields(), advance)
    return Predictions.joined([Predictions.of(waiting.popleft(), scores.logits) for scores in scored])


def _answered(logits: Logits, split: str, most: float) -> Logits:
    """Logits with equal ones in place of answers that there are not, which are counted. Raises: as `require_few`."""
    missing = ~np.isfinite(logits).all(axis=1, keepdims=True)
    if missing.any():
        require_few(int(missing.sum()), len(logits), most, f"predictions of {split}", _AGAIN)
        note(f"{split}: {missing.sum()} of {len(logits)} rows are without an answer and count as equal chances")
    return np.where(missing, np.float32(0), logits)
