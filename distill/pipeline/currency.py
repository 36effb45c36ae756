"""Which artifacts of a run are those that its settings ask for by now, so that its report holds no other figures."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from itertools import chain

from distill.core.current import Current
from distill.core.errors import UserError
from distill.core.run_folder import EVALUATION
from distill.core.steps import Step, Steps
from distill.pipeline.experiment import Experiment
from distill.pipeline.plan import bundles, plan
from distill.pipeline.steps.evaluate import evaluate_seeds_step


def current(experiment: Experiment, steps: Steps) -> Current:
    """The artifacts that a step of the whole plan would make as they are, from others of which that is true too.

    What cannot be planned any more, because a file of the user's is gone, is not among them.
    """
    names: set[str] = set()
    with suppress(UserError):
        for stage in chain(plan(experiment), bundles(experiment)):
            _add(names, stage.step, steps)
    return Current(experiment.run.path, names)


def current_of_seeds(experiments: Mapping[int, Experiment], steps: Steps) -> Current:
    """The evaluation over several seeds, where it is made of figures that are current in each of them.

    Args: steps: of the folder above the runs.
    """
    names = {
        f"{one.run.name}/{name}"
        for one in experiments.values()
        for name in current(one, Steps(one.run.path, {}, {})).names
    }
    if experiments:
        _add(names, evaluate_seeds_step(experiments), steps)
    return Current(steps.run_folder, names & {EVALUATION})


def _add(names: set[str], step: Step, steps: Steps) -> None:
    if names.issuperset(step.upstream) and steps.is_current(step):
        names.add(step.artifact)
