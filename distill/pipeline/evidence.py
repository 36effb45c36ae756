"""The real records that an export is judged by, chooses on and is calibrated on."""

from __future__ import annotations

from collections.abc import Mapping

from distill.core.files import Json
from distill.core.halves import choosing_half
from distill.core.predictions import cluster_of
from distill.core.record_store import read_records, sample_records
from distill.core.records import Record
from distill.core.run_folder import RECORDS
from distill.pipeline.experiment import Experiment
from export.evidence import Evidence, Sample
from export.targets.base import Target

_MOST_ROWS = 1000


def evidence_of(experiment: Experiment, target: Target) -> Evidence:
    """The rows that judge a file; of a target that chooses the others are those that it chooses on, where there are
    enough to halve them. Training rows calibrate.
    """
    rows, quality, seed = _real_rows(experiment), experiment.project.quality, experiment.project.seed
    half = choosing_half([cluster_of(record) for record in rows], seed) if target.chooses else None
    judging, choosing = rows, None
    if half is not None:
        judging, choosing = ([row for row, one in zip(rows, half, strict=True) if one == side] for side in (0, 1))

    def calibration() -> list[Mapping[str, str]]:
        read = {record.id for record in rows}
        found = sample_records(experiment.run / RECORDS, "train", _MOST_ROWS + len(rows), seed + 1)
        return [record.fields for record in found if record.id not in read][:_MOST_ROWS]

    return Evidence(
        judging=Sample.of(judging),
        choosing=None if choosing is None else Sample.of(choosing),
        calibration=calibration,
        labels=experiment.space.labels,
        rules=(quality.precision_at_least, quality.recall_at_least) if quality.calibrate else None,
    )


def chosen_by(experiment: Experiment, target: Target) -> Json:
    """What of the project decides how a target chooses: the halves, and where answers are read."""
    if not target.chooses:
        return {}
    quality = experiment.project.quality.as_fingerprint()
    rules = {key: quality[key] for key in ("precision_at_least", "recall_at_least", "calibrate") if key in quality}
    return {"halves": experiment.project.seed, **({"rules": rules} if rules else {})}


def record_files(experiment: Experiment, target: Target) -> tuple[str, ...]:
    """The record files that a target's export reads."""
    read = [_real_split(experiment), *(["train"] if target.calibrates else [])]
    return tuple(f"{split}.parquet" for split in dict.fromkeys(read))


def _real_split(experiment: Experiment) -> str:
    """Whose rows files are compared with their model on: validation, or training where there is none."""
    return "valid" if experiment.has_validation else "train"


def _real_rows(experiment: Experiment) -> list[Record]:
    records, split = experiment.run / RECORDS, _real_split(experiment)
    if experiment.has_validation:
        return read_records(records, split)
    return sample_records(records, split, _MOST_ROWS, experiment.project.seed)
