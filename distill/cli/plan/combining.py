"""The step that makes one evaluation out of runs that differ in their training seed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from distill.cli.plan.evidence import predicted, report_rows
from distill.cli.plan.layout import EVALUATION, RECORDS, Layout, predictions
from distill.core.files import write_json
from distill.core.steps import Step


def combine_step(layouts: Mapping[int, Layout]) -> Step:
    """Every quality figure as a mean over seeds, in the folder above the runs.

    Args: layouts: seed to its run, each with all its predictions made.
    """
    first = next(iter(layouts.values()))
    project, tests = first.project, first.tests

    def body(folder: Path) -> None:
        from distill.core.record_store import class_shares
        from distill.report.seeds import evaluate_seeds

        answers = {seed: layout.run / "predictions" for seed, layout in layouts.items()}
        references, models, seed = first.references, report_rows(first), project.seed
        priors = class_shares(first.run / RECORDS)
        result = evaluate_seeds(models, tests, references, answers, first.space, project.quality, seed, priors)
        write_json(folder / "evaluation.json", result)

    part = {"quality": project.quality.as_json(), "task": project.task.as_json(), "seed": project.seed}
    return Step(
        name="evaluate all seeds",
        artifact=EVALUATION,
        body=body,
        config={**part, "tests": tests, "seeds": list(layouts)},
        upstream=(
            f"{first.run.name}/{RECORDS}",
            *(f"{layout.run.name}/{predictions(name)}" for layout in layouts.values() for name in predicted(layout)),
        ),
        version=2,
    )
