"""Steps that make students and their gold-only twins."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.core.steps import Step
from distill.core.view import TOKENIZER_FILE, View
from distill.pipeline.experiment import GOLD_STEPS, RECORDS, Experiment, labels
from distill.training.losses.term import needs_teacher

if TYPE_CHECKING:
    from students.train import Lesson


def train_step(experiment: Experiment, name: str) -> Step:
    """A student, from the labels that were chosen."""
    config, start = experiment.settings.students[name], experiment.source(name)
    shares = {labels(experiment.model(teacher)): share for teacher, share in experiment.labellers.items()}
    teacher = _read_teacher(experiment, name)

    def body(folder: Path) -> None:
        from students.train import train

        stores = {experiment.run / store: share for store, share in shares.items()}
        read = experiment.run / teacher if teacher else None
        train(config, _lesson(experiment, name, start), stores, folder, read)

    part = {"student": config.as_json(), "shares": [[share.weight, share.temperature] for share in shares.values()]}
    return Step(
        name=f"train {name}",
        artifact=f"students/{name}",
        body=body,
        config={**_recipe(experiment, name), **part},
        version=2,
        upstream=(RECORDS, start, *shares, *([teacher] if teacher and teacher != start else [])),
    )


def twin_step(experiment: Experiment, name: str, kind: str) -> Step:
    """A student's gold-only twin. Args: kind: `GOLD`, to its own convergence, or `GOLD_STEPS`, the student's steps."""
    config, twin, start = experiment.settings.students[name], experiment.twin(name, kind), experiment.source(name)
    student = experiment.student(name).artifact if kind == GOLD_STEPS else None

    def body(folder: Path) -> None:
        from students.train import train_twin

        train_twin(config, _lesson(experiment, name, start), experiment.run / student if student else None, folder)

    return Step(
        name=f"train {twin.name}",
        artifact=twin.artifact,
        body=body,
        config={**_recipe(experiment, name), "student": config.as_json(), "kind": kind},
        version=2,
        upstream=(RECORDS, start, *([student] if student else [])),
    )


def _read_teacher(experiment: Experiment, student: str) -> str | None:
    """Artifact of the teacher whose model the student's losses read: of those that labelled, the one that counts most.

    None where stored logits are enough, or where they were made elsewhere.
    """
    made = {name: share for name, share in experiment.labellers.items() if name not in experiment.imported}
    if not made or not needs_teacher(experiment.settings.students[student].terms.values()):
        return None
    return experiment.model(max(made, key=lambda name: made[name].weight)).artifact


def _lesson(experiment: Experiment, student: str, start: str) -> Lesson:
    from students.train import Lesson

    config, project, source = experiment.settings.students[student], experiment.project, experiment.run / start
    view = View(config.view, project.views[config.view], source / TOKENIZER_FILE)
    return Lesson(experiment.space, view, experiment.run / RECORDS, source, project.weights_seed, project.threads)


def _recipe(experiment: Experiment, student: str) -> dict[str, Any]:
    project = experiment.project
    view = project.views[experiment.settings.students[student].view].as_json()
    return {"view": view, "seed": project.weights_seed, "threads": project.threads}
