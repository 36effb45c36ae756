"""A model's predictions on labelled splits, as prediction files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from distill.core.predictions import Predictions, write_predictions
from distill.core.progress import progress
from distill.core.record_store import read_records
from distill.inference.scorer import Scorer


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
        write_predictions(folder / f"{split}.parquet", Predictions.of(rows, scores.logits))
