"""The step that makes soft labels: by any model of the run, or from a file made elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from distill.core.run_folder import LABEL_CARD, RECORDS, RunFolder
from distill.core.steps import Read, Step
from distill.core.work import reading
from distill.pipeline.experiment import Experiment
from distill.pipeline.models import ModelSpec
from teachers.config import LabellingConfig, TeacherConfig

if TYPE_CHECKING:
    from teachers.cross_fit import CrossFit


def label_step(experiment: Experiment, spec: ModelSpec) -> Step:
    """A model's logits for train and pool rows, computed here or imported."""
    config = getattr(spec.config, "labelling", LabellingConfig())
    file = Path(spec.config.labels) if isinstance(spec.config, TeacherConfig) and spec.config.labels else None
    records, threads = experiment.run / RECORDS, experiment.project.threads

    partial = file is not None and experiment.may_miss_rows(spec)

    def body(folder: Path) -> None:
        if file:
            from teachers.import_labels import import_labels

            import_labels(config, file, experiment.space, records, folder, allow_missing=partial)
        else:
            from distill.core.processes import rank
            from teachers.coverage import write_coverage
            from teachers.label import LabelOptions, label

            project = experiment.project
            cross, price = cross_fit(experiment, folds), project.report.price_per_hour
            options = LabelOptions(cross, price, project.labelling)
            label(config, experiment.run / spec.artifact, records, threads, folder, options)
            if rank() == 0:
                write_coverage(folder, records, experiment.space)

    splits, folds = experiment.labelled_splits, experiment.folds(spec)
    rows = Read(RECORDS, tuple(f"{split}.parquet" for split in splits))
    parts = [Read(RunFolder.folds(len(folds))), *(Read(fold.artifact) for fold in folds)] if folds else []
    return Step(
        name=f"label {spec.name}",
        artifact=RunFolder.labels(spec.name),
        body=body,
        config={**config.as_fingerprint(), **({"allow_missing": True} if partial else {})},
        reads=(rows,) if file else (rows, Read(spec.artifact), *parts),
        files=(file,) if file else (),
        work=reading(*splits),
        apart=(LABEL_CARD,),
        together=file is None,
    )


def folds_step(experiment: Experiment, count: int) -> Step:
    """The training rows dealt into folds, for teachers that are cross-fitted."""
    seed = experiment.project.seed

    def body(folder: Path) -> None:
        from teachers.cross_fit import write_folds

        write_folds(experiment.run / RECORDS, count, seed, folder)

    return Step(
        name=f"deal {count} folds",
        artifact=RunFolder.folds(count),
        body=body,
        config={"folds": count, "seed": seed},
        reads=(Read(RECORDS, ("train.parquet", "valid.parquet")),),
    )


def cross_fit(experiment: Experiment, folds: Sequence[ModelSpec]) -> CrossFit | None:
    """The models of each fold with their rows; None for a teacher that labels all rows itself."""
    from teachers.cross_fit import CrossFit, Fold

    if not folds:
        return None
    places = [(fold, *experiment.rows_of(fold)) for fold in folds]
    own = [Fold(experiment.run / fold.artifact, experiment.run / rows / part) for fold, rows, part in places]
    return CrossFit(own, experiment.space.objective)
