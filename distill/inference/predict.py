"""A model's answers on labelled splits, as prediction files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from distill.core.predictions import Predictions, write_predictions
from distill.core.progress import progress
from distill.core.record_store import read_records
from distill.core.view import View
from distill.inference.runner import Runner
from distill.inference.score import score


def predict(
    open_runner: Callable[[], Runner],
    view: View,
    records: Path,
    splits: Iterable[str],
    folder: Path,
    *,
    max_rows: int = 64,
) -> None:
    """Step body: write `<split>.parquet` for each labelled split; splits that are there are kept.

    Args: open_runner: opens the model, called once at most. view: what the model reads. records: the records artifact.
        max_rows: most windows of a batch; 1 for dynamic int8, whose answers depend on what shares a batch.
    """
    missing = [split for split in splits if not (folder / f"{split}.parquet").exists()]
    if not missing:
        return
    runner, renderer = open_runner(), view.renderer()
    for split in missing:
        rows = read_records(records, split)
        with progress(f"predicting {split}", len(rows)) as advance:
            scores = score(runner, renderer, [record.fields for record in rows], max_rows=max_rows, on_progress=advance)
        write_predictions(folder / f"{split}.parquet", Predictions.of(rows, scores.logits))
