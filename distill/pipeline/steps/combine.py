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
        from distill.evaluation.evaluate_seeds import evaluate_seeds

        answers = {seed: experiment.run / "predictions" for seed, experiment in experiments.items()}
        references, models, seed = first.references, report_rows(first), project.seed
        priors = class_shares(first.run / RECORDS)
        result = evaluate_seeds(models, tests, references, answers, first.space, project.quality, seed, priors)
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
