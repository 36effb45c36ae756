"""Labels of training rows by models that never saw those rows' gold.

A teacher has seen the gold of the rows that it was fitted on, and is surer there than on the pool: what it tells of
them is partly what it remembers. So the training rows are dealt into K folds, K more models of the same recipe are
fitted on all folds but one, and each labels the fold that it was not fitted on.

Source: cross-fitting of Chernozhukov et al. 2018, "Double/debiased machine learning", arXiv:1608.00060, section 3; for
distillation Dao et al. 2021, "Knowledge Distillation as Semiparametric Inference", arXiv:2104.09732. Departure: the
pool, of which no model saw any gold, is labelled by the teacher that was fitted on all rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from distill.core.folds import fold_numbers
from distill.core.objectives.objective import Objective
from distill.core.predictions import cluster_of
from distill.core.progress import note
from distill.core.record_store import read_records, write_records
from distill.families.calibrating import validated_temperature
from distill.families.family import Opening

HELD_OUT = "held_out"


def write_folds(records: Path, folds: int, seed: int, folder: Path) -> None:
    """Step body: for each fold a folder `1`, `2`, … with the rows to fit on, `train` and `valid`, and with `held_out`.

    Rows that share the first key are in one fold.
    """
    train, valid = read_records(records, "train"), read_records(records, "valid")
    numbers = fold_numbers([cluster_of(record) for record in train], folds, seed)
    for fold in range(folds):
        own = folder / str(fold + 1)
        own.mkdir(parents=True, exist_ok=True)
        for name, kept in (("train", numbers != fold), (HELD_OUT, numbers == fold)):
            write_records(own / f"{name}.parquet", (row for row, keep in zip(train, kept, strict=True) if keep))
        write_records(own / "valid.parquet", valid)


@dataclass(frozen=True)
class Fold:
    """A model and the fold that it was not fitted on. Attributes: records: its folder of `write_folds`."""

    model: Path
    records: Path


@dataclass(frozen=True)
class CrossFit:
    """The folds of a teacher. Attributes: objective: of the task, for their temperatures."""

    folds: Sequence[Fold]
    objective: Objective


class Scale:
    """What the logits of fold models are multiplied by, so that all labels of a teacher are on one scale.

    A fold's model is fitted by itself and may be surer or less sure than the teacher of all rows: z ← z · T / T_fold,
    with the temperatures that validation gives to both, makes labels that one temperature T calibrates.
    """

    def __init__(self, teacher: Path, cross: CrossFit, how: Opening) -> None:
        self._teacher, self._cross, self._how = teacher, cross, how

    def of(self, fold: Fold) -> float:
        """T / T_fold."""
        own = validated_temperature(fold.model, fold.records, self._cross.objective, self._how)
        note(f"{fold.model.name}: temperature {own:.3f}, of the teacher of all rows {self._whole:.3f}")
        return self._whole / own

    @cached_property
    def _whole(self) -> float:
        records = self._cross.folds[0].records
        return validated_temperature(self._teacher, records, self._cross.objective, self._how)
