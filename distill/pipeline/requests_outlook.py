"""What a plan's requests to servers come to, before any is made."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from distill.core.manifest import MANIFEST
from distill.core.record_store import count_records
from distill.core.run_folder import ANSWERS, RECORDS, RunFolder
from distill.families.family import Lesson, family
from distill.pipeline.experiment import Experiment
from distill.pipeline.models import ModelSpec


def request_lines(experiment: Experiment, to_do: Collection[str]) -> Iterator[str]:
    """A line for each step that asks a server: requests, tokens, cost; answers that are there already cost nothing.

    A model that is asked about rows by itself and as a member of others is counted for the first of these steps.

    Args: to_do: artifacts that are not made, or may be made again.
    """
    for asked in experiment.models.values():
        if not family(asked.family).is_remote(asked.config):
            continue
        counted = set[str]()
        for step, artifact, splits in _answering(experiment, asked):
            if artifact in to_do and (own := [split for split in splits if split not in counted]):
                yield f"{step}: {_outlay(experiment, asked, own)}"
                counted.update(own)


def _outlay(experiment: Experiment, asked: ModelSpec, splits: Sequence[str]) -> str:
    """What asking a model about some splits comes to."""
    records = experiment.run / RECORDS
    if not (records / MANIFEST).exists():
        return "counted once the rows are (distill audit asks nothing)"
    outlay = family(asked.family).outlay(asked.config, _lesson(experiment, asked), splits)
    if outlay is None:
        rows = sum(count_records(records, split) for split in splits)
        outlay = f"{rows:,} rows to ask a server about, at a cost that is not known"
    return f"{outlay}, in the server's own time"


def _answering(experiment: Experiment, asked: ModelSpec) -> Iterator[tuple[str, str, list[str]]]:
    """(step, artifact, splits) of what a model answers rows for: its own, then those of what it is a member of."""
    others = [spec for spec in experiment.models.values() if asked.name in _made_of(experiment, spec)]
    for spec, by in [(asked, ""), *((one, f" by {asked.name}") for one in others)]:
        yield f"predict {spec.label}{by}", RunFolder.predicted(spec.label), experiment.predicted_splits
        yield f"label {spec.name}{by}", RunFolder.labels(spec.name), experiment.labelled_splits


def _made_of(experiment: Experiment, spec: ModelSpec) -> set[str]:
    """The names of a model's members, and of theirs."""
    return {*spec.members}.union(*(_made_of(experiment, experiment.models[name]) for name in spec.members))


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
