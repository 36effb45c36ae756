"""A plan carried out in this process, as a run does it, and the figures that it came to."""

from __future__ import annotations

import json

from distill.core.predictions import read_predictions
from distill.core.progress import reporting
from distill.core.steps import Steps
from distill.pipeline.experiment import Experiment
from distill.pipeline.plan import plan, stages_until
from distill.pipeline.settings import resolve_settings
from tests.training.toy import Watch


def carried_out(project, *sets, until="train", teachers=()):
    """The plan up to the students in two parts, as a run does it; the names of the steps that were made."""
    watch, run = Watch(), project.parent / "run"
    with reporting(watch):
        for _ in range(2):  # what comes after the choice depends on it
            steps = Steps(run, {}, {})
            experiment = Experiment(resolve_settings(project, run, sets=sets, teachers=teachers))
            stages = stages_until(list(plan(experiment)), until if experiment.choice else "teach")
            for stage in stages:
                steps.run(stage.step)
    return experiment, [one["name"] for one in steps.stages if one["status"] == "done"], watch.notes


def rows(project):
    """The rows of the report by name, and what the test rows' predictions of a model are."""
    run = project.parent / "run"
    found = {one["name"]: one for one in json.loads((run / "evaluation" / "evaluation.json").read_text())["models"]}
    return found, lambda name: read_predictions(run / "predictions" / name / "test.unseen.parquet")
