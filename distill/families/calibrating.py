"""The temperature of a model that is fitted, found by having it read validation."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from distill.core.objectives.objective import Objective
from distill.core.progress import progress
from distill.core.record_store import read_records
from distill.evaluation.calibration import fit_temperature
from distill.families.family import Opening, open_model


def validated_temperature(model: Path, records: Path, objective: Objective, how: Opening) -> float:
    """The T with the lowest log loss of a model's `logits / T` on validation; 1 where there are no validation rows.

    Args: model: a model folder of any family. records: holds `valid`. Rows whose logits are not finite do not count.
    """
    rows = [(record.fields, record.target) for record in read_records(records, "valid") if record.target is not None]
    if not rows:
        return 1.0
    with progress(f"calibrating {model.name}", len(rows)) as advance:
        logits = open_model(model, how).score([fields for fields, _ in rows], advance).logits
    finite = np.isfinite(logits).all(axis=1)
    target = np.stack([target for _, target in rows])
    return fit_temperature(logits[finite], target[finite], objective) if finite.any() else 1.0
