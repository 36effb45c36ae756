"""Steps that ask before the pool is paid for: which teacher labels it, and what gold labels alone come to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from distill.core.run_folder import CHOICE, RECORDS, TWINS, RunFolder
from distill.core.steps import Read, Step
from distill.core.work import Work
from distill.pipeline.experiment import Experiment

if TYPE_CHECKING:
    from teachers.choice import Asking

_PRIORS = Read(RECORDS, ("train.parquet",))


def choose_step(experiment: Experiment) -> Step:
    """Which teacher's labels the students learn from, by validation; made elsewhere, they are taken as they are."""
    candidates, imported = experiment.candidates, experiment.imported

    def body(folder: Path) -> None:
        from teachers.choice import Candidate, choose, take_imported, take_unasked

        if not experiment.has_validation:
            take_unasked(experiment.project.labels, candidates, imported, folder)
        elif imported:
            take_imported(candidates["document"], imported, _asking(experiment), folder)
        else:
            choose([Candidate(name, members) for name, members in candidates.items()], _asking(experiment), folder)

    return Step(
        name="choose labels",
        artifact=CHOICE,
        body=body,
        config={**_config(experiment), "candidates": candidates, "imported": imported},
        reads=(_PRIORS, *(_answers(spec.label) for spec in experiment.asked if experiment.has_validation)),
        version=3,
    )


def twins_step(experiment: Experiment) -> Step:
    """The chosen labels against each student's gold-only twin of its own length, by validation."""
    twins = [spec.label for spec in experiment.early_twins]

    def body(folder: Path) -> None:
        from teachers.choice import ask_twins

        ask_twins(twins, experiment.run / CHOICE, _asking(experiment), folder)

    models = dict.fromkeys([*experiment.chosen, *twins])
    return Step(
        name="ask gold-only twins",
        artifact=TWINS,
        body=body,
        config={**_config(experiment), "twins": twins},
        reads=(_PRIORS, Read(CHOICE), *map(_answers, models)),
        version=2,
        work=lambda rows: Work(like="choose labels"),
    )


def _answers(label: str) -> Read:
    return Read(RunFolder.predicted(label), ("valid.parquet",))


def _asking(experiment: Experiment) -> Asking:
    from distill.core.record_store import class_shares
    from teachers.choice import Asking

    project, priors = experiment.project, class_shares(experiment.run / RECORDS)
    replicates, space, calibrate = project.quality.replicates, experiment.space, project.quality.calibrate
    return Asking(project.labels, experiment.run.predictions, space, priors, replicates, project.seed, calibrate)


def _config(experiment: Experiment) -> dict[str, object]:
    project = experiment.project
    task, replicates = project.task.as_fingerprint("ordered"), project.quality.replicates
    uncalibrated = {} if project.quality.calibrate else {"calibrate": False}
    return {"labels": project.labels, "task": task, "replicates": replicates, "seed": project.seed, **uncalibrated}
