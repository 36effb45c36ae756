"""The step that makes soft labels: by any model of the run, or from a file made elsewhere."""

from __future__ import annotations

from pathlib import Path

from distill.core.run_folder import RECORDS, RunFolder
from distill.core.steps import Read, Step
from distill.core.work import reading
from distill.pipeline.experiment import Experiment
from distill.pipeline.models import ModelSpec
from teachers.config import LabellingConfig, TeacherConfig


def label_step(experiment: Experiment, spec: ModelSpec) -> Step:
    """A model's logits for train and pool rows, computed here or imported."""
    config = getattr(spec.config, "labelling", LabellingConfig())
    file = Path(spec.config.labels) if isinstance(spec.config, TeacherConfig) and spec.config.labels else None
    records, threads = experiment.run / RECORDS, experiment.project.threads

    def body(folder: Path) -> None:
        if file:
            from teachers.import_labels import import_labels

            import_labels(config, file, experiment.space, records, folder)
        else:
            from teachers.label import label

            label(config, experiment.run / spec.artifact, records, threads, folder)

    splits = experiment.labelled_splits
    rows = Read(RECORDS, tuple(f"{split}.parquet" for split in splits))
    return Step(
        name=f"label {spec.name}",
        artifact=RunFolder.labels(spec.name),
        body=body,
        config=config.as_fingerprint(),
        reads=(rows,) if file else (rows, Read(spec.artifact)),
        files=(file,) if file else (),
        work=reading(*splits),
        together=file is None,
    )
