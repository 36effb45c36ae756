"""Steps that ask before the pool is paid for: which teacher labels it, and what gold labels alone come to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from distill.cli.plan.layout import CHOICE, GOLD, RECORDS, TWINS, Layout, predictions
from distill.core.steps import Step

if TYPE_CHECKING:
    from teachers.choice import Asking


def choose_step(layout: Layout) -> Step:
    """Which teacher's labels the students learn from, by validation."""
    candidates = layout.candidates
    models = list(dict.fromkeys(model for members in candidates.values() for model in members))

    def body(folder: Path) -> None:
        from teachers.choice import Candidate, choose

        choose([Candidate(name, members) for name, members in candidates.items()], _asking(layout), folder)

    return Step(
        name="choose labels",
        artifact=CHOICE,
        body=body,
        config={**_config(layout), "candidates": candidates, "imported": layout.imported},
        upstream=(RECORDS, *map(predictions, models)),
    )


def twins_step(layout: Layout) -> Step:
    """The chosen labels against each student's gold-only twin, by validation."""
    twins = [layout.twin(student, GOLD).label for student in layout.settings.students]

    def body(folder: Path) -> None:
        from teachers.choice import ask_twins

        ask_twins(twins, layout.run / CHOICE, _asking(layout), folder)

    models = dict.fromkeys([*layout.labellers, *twins])
    return Step(
        name="ask gold-only twins",
        artifact=TWINS,
        body=body,
        config={**_config(layout), "twins": twins},
        upstream=(RECORDS, CHOICE, *map(predictions, models)),
    )


def _asking(layout: Layout) -> Asking:
    from distill.core.record_store import class_shares
    from teachers.choice import Asking

    project, priors = layout.project, class_shares(layout.run / RECORDS)
    answers, replicates = layout.run / "predictions", project.quality.replicates
    imported = tuple(layout.imported)
    return Asking(project.labels, answers, layout.space, priors, replicates, project.seed, imported)


def _config(layout: Layout) -> dict[str, object]:
    project = layout.project
    task, replicates = project.task.as_json(), project.quality.replicates
    return {"labels": project.labels, "task": task, "replicates": replicates, "seed": project.seed}
