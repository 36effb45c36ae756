"""The step that asks the fits of a teacher's folds about the training rows that they were not fitted on."""

from __future__ import annotations

from pathlib import Path

from distill.core.run_folder import RunFolder
from distill.core.steps import Read, Step
from distill.core.work import reading
from distill.pipeline.experiment import Experiment
from distill.pipeline.models import ModelSpec
from distill.pipeline.steps.label import cross_fit


def out_of_fold_step(experiment: Experiment, spec: ModelSpec) -> Step:
    """Every training row answered once. Args: spec: the mean of the folds' fits."""
    folds = experiment.folds(spec)
    rows, fits = RunFolder.folds(len(folds)), [Read(fold.artifact) for fold in folds]

    def body(folder: Path) -> None:
        from distill.families.family import Opening
        from distill.training.device import device
        from teachers.out_of_fold import answer_out_of_fold

        cross = cross_fit(experiment, folds)
        assert cross is not None
        answer_out_of_fold(cross, Opening(threads=experiment.project.threads, device=device()), folder)

    return Step(
        name=f"ask out of fold {spec.label}",
        artifact=RunFolder.out_of_fold(spec.name),
        body=body,
        config={},
        reads=(Read(rows), *fits),
        version=2,
        work=reading("train", "valid"),
    )
