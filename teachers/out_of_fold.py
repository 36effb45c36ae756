"""What models say of training rows that they were not fitted on: one answer for each row, from K models."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from distill.core.out_of_fold import OutOfFold, write_out_of_fold
from distill.core.predictions import Predictions
from distill.core.progress import progress
from distill.core.record_store import read_records
from distill.families.calibrating import validated_temperature
from distill.families.family import Opening, open_model
from teachers.cross_fit import HELD_OUT, CrossFit


def answer_out_of_fold(cross: CrossFit, how: Opening, folder: Path) -> None:
    """Step body: `folder` gets `out_of_fold.parquet`: for every training row the logits of the model that was fitted
    without its fold, with the fold and the temperature that validation gives to this model.

    Source: Stone 1974, "Cross-validatory choice and assessment of statistical predictions", JRSS B 36.
    """
    parts, numbers, temperatures = [], [], []
    for number, fold in enumerate(cross.folds, 1):
        records = read_records(fold.records, HELD_OUT)
        scorer = open_model(fold.model, how)
        with progress(f"asking {fold.model.name}", len(records)) as advance:
            logits = scorer.score([record.fields for record in records], advance).logits
        parts.append(Predictions.of(records, logits))
        numbers += [number] * len(records)
        temperatures.append(validated_temperature(fold.model, fold.records, cross.objective, how))
    own = np.array(temperatures, np.float32)[np.array(numbers) - 1]
    write_out_of_fold(folder, OutOfFold(Predictions.joined(parts), np.array(numbers, np.int32), own))
