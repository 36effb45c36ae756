"""A model's predictions on labelled splits, as prediction files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from distill.core.predictions import Predictions, write_predictions
from distill.core.progress import note, progress
from distill.core.record_store import read_records
from distill.inference.scorer import Logits, Scorer


def predict(open_scorer: Callable[[], Scorer], records: Path, splits: Iterable[str], folder: Path) -> None:
    """Step body: write `<split>.parquet` for each labelled split; splits that are there are kept.

    Args: open_scorer: opens the model, called once at most. records: the records artifact.
    """
    missing = [split for split in splits if not (folder / f"{split}.parquet").exists()]
    if not missing:
        return
    scorer = open_scorer()
    for split in missing:
        rows = read_records(records, split)
        with progress(f"predicting {split}", len(rows)) as advance:
            scores = scorer.score([record.fields for record in rows], advance)
        logits = _answered(scores.logits, split) if scorer.may_fail else scores.logits
        write_predictions(folder / f"{split}.parquet", Predictions.of(rows, logits))


def _answered(logits: Logits, split: str) -> Logits:
    """Logits with equal ones in place of answers that there are not, which are counted."""
    missing = ~np.isfinite(logits).all(axis=1, keepdims=True)
    if missing.any():
        note(f"{split}: {missing.sum()} of {len(logits)} rows are without an answer and count as equal chances")
    return np.where(missing, np.float32(0), logits)
