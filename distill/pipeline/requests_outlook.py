"""What a plan's requests to servers come to, before any is made."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from distill.core.manifest import MANIFEST
from distill.core.run_folder import ANSWERS, RECORDS, RunFolder
from distill.families.family import Lesson, family
from distill.pipeline.experiment import Experiment
from distill.pipeline.models import ModelSpec


def request_lines(experiment: Experiment, to_do: Collection[str]) -> Iterator[str]:
    """A line for each step that asks a server: requests, tokens, cost; answers that are there already cost nothing.

    Args: to_do: artifacts that are not made, or may be made again.
    """
    for spec in experiment.models.values():
        own = family(spec.family)
        if not own.is_remote(spec.config):
            continue
        for name, artifact, splits in _answering(experiment, spec):
            if artifact not in to_do:
                continue
            if not (experiment.run / RECORDS / MANIFEST).exists():
                yield f"{name}: counted once the rows are (distill audit asks nothing)"
            elif outlay := own.outlay(spec.config, _lesson(experiment, spec), splits):
                yield f"{name}: {outlay}, in the server's own time"


def _answering(experiment: Experiment, spec: ModelSpec) -> Iterator[tuple[str, str, list[str]]]:
    """(step, artifact, splits) of what a model answers rows for."""
    yield f"predict {spec.label}", RunFolder.predicted(spec.label), experiment.predicted_splits
    yield f"label {spec.name}", RunFolder.labels(spec.name), experiment.labelled_splits


def _lesson(experiment: Experiment, spec: ModelSpec) -> Lesson:
    project = experiment.project
    return Lesson(
        title=spec.label,
        space=experiment.space,
        view=spec.view,
        view_config=project.views[spec.view],
        records=experiment.run / RECORDS,
        answers=experiment.settings.shared / ANSWERS,
    )
