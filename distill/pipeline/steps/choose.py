"""Steps that ask before the pool is paid for: which teacher labels it, and what gold labels alone come to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from distill.core.steps import Step
from distill.pipeline.experiment import CHOICE, GOLD, RECORDS, TWINS, Experiment, predictions

if TYPE_CHECKING:
    from teachers.choice import Asking


def choose_step(experiment: Experiment) -> Step:
    """Which teacher's labels the students learn from, by validation."""
    candidates = experiment.candidates
    models = list(dict.fromkeys(model for members in candidates.values() for model in members))

    def body(folder: Path) -> None:
        from teachers.choice import Candidate, choose

        choose([Candidate(name, members) for name, members in candidates.items()], _asking(experiment), folder)

    return Step(
        name="choose labels",
        artifact=CHOICE,
        body=body,
        config={**_config(experiment), "candidates": candidates, "imported": experiment.imported},
        upstream=(RECORDS, *map(predictions, models)),
    )


def twins_step(experiment: Experiment) -> Step:
    """The chosen labels against each student's gold-only twin, by validation."""
    twins = [experiment.twin(student, GOLD).label for student in experiment.settings.students]

    def body(folder: Path) -> None:
        from teachers.choice import ask_twins

        ask_twins(twins, experiment.run / CHOICE, _asking(experiment), folder)

    models = dict.fromkeys([*experiment.labellers, *twins])
    return Step(
        name="ask gold-only twins",
        artifact=TWINS,
        body=body,
        config={**_config(experiment), "twins": twins},
        upstream=(RECORDS, CHOICE, *map(predictions, models)),
    )


def _asking(experiment: Experiment) -> Asking:
    from distill.core.record_store import class_shares
    from teachers.choice import Asking

    project, priors = experiment.project, class_shares(experiment.run / RECORDS)
    answers, replicates = experiment.run / "predictions", project.quality.replicates
    imported = tuple(experiment.imported)
    return Asking(project.labels, answers, experiment.space, priors, replicates, project.seed, imported)


def _config(experiment: Experiment) -> dict[str, object]:
    project = experiment.project
    task, replicates = project.task.as_json(), project.quality.replicates
    return {"labels": project.labels, "task": task, "replicates": replicates, "seed": project.seed}
