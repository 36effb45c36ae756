"""The step that makes one evaluation out of runs that differ in their training seed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from distill.core.files import write_json
from distill.core.steps import Step
from distill.pipeline.experiment import EVALUATION, RECORDS, Experiment, predictions
from distill.pipeline.steps.evaluate import predicted, report_rows


def combine_step(experiments: Mapping[int, Experiment]) -> Step:
    """Every quality figure as a mean over seeds, in the folder above the runs.

    Args: experiments: seed to its run, each with all its predictions made.
    """
    first = next(iter(experiments.values()))
    project, tests = first.project, first.tests

    def body(folder: Path) -> None:
        from distill.core.record_store import class_shares
        from distill.evaluation.evaluate import Measuring, evaluate

        by_seed = {seed: one.run / "predictions" for seed, one in experiments.items()}
        measuring = Measuring(first.space, project.quality, project.seed, class_shares(first.run / RECORDS))
        result = evaluate(report_rows(first), tests, first.references, by_seed, measuring)
        write_json(folder / "evaluation.json", result)

    part = {"quality": project.quality.as_json(), "task": project.task.as_json(), "seed": project.seed}
    return Step(
        name="evaluate all seeds",
        artifact=EVALUATION,
        body=body,
        config={**part, "tests": tests, "seeds": list(experiments)},
        upstream=(
            f"{first.run.name}/{RECORDS}",
            *(
                f"{experiment.run.name}/{predictions(name)}"
                for experiment in experiments.values()
                for name in predicted(experiment)
            ),
        ),
        version=2,
    )
