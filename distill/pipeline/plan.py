"""The steps of a run in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from distill.core.steps import Step
from distill.pipeline.experiment import GOLD, GOLD_STEPS, Experiment
from distill.pipeline.steps.choose import choose_step, twins_step
from distill.pipeline.steps.data import audit_step, records_step
from distill.pipeline.steps.evaluate import bench_step, evaluate_step, predict_exported_step, predict_step
from distill.pipeline.steps.export import bundle_step, export_step
from distill.pipeline.steps.students import train_step, twin_step
from distill.pipeline.steps.teachers import checkpoint_step, label_step, teach_step


@dataclass(frozen=True)
class Stage:
    """A step and the verb that it belongs to: `distill VERB` runs a plan up to its last step of that verb."""

    verb: str
    step: Step


def plan(experiment: Experiment) -> Iterator[Stage]:
    """From reading records to latency; the gates, the bundles and the report come after."""
    yield from asking(experiment)
    yield from learning(experiment)


def asking(experiment: Experiment) -> Iterator[Stage]:
    """Up to the choice of the labels, which decides what comes after."""
    settings = experiment.settings
    yield Stage("audit", records_step(experiment))
    yield Stage("audit", audit_step(experiment))
    for name, teacher in settings.teachers.items():
        if teacher.finished is None:
            yield Stage("teach", checkpoint_step(experiment, name))
        yield Stage("teach", teach_step(experiment, name))
    if experiment.card_teacher:
        yield Stage("teach", teach_step(experiment, experiment.first_teacher.name, on_card=True))
    # Without students only `distill label` has something to choose.
    verb = "teach" if settings.students else "label"
    for model in experiment.asked:
        yield Stage(verb, predict_step(experiment, model))
    yield Stage(verb, choose_step(experiment))


def learning(experiment: Experiment) -> Iterator[Stage]:
    """From the choice of the labels on: gold-only twins first, labels, students, and what they are worth."""
    settings, asked = experiment.settings, experiment.asked
    twins = [experiment.twin(name, GOLD) for name in settings.students]
    for name, twin in zip(settings.students, twins, strict=True):
        yield Stage("train", twin_step(experiment, name, GOLD))
        yield Stage("train", predict_step(experiment, twin))
    if twins:
        yield Stage("train", twins_step(experiment))
    for teacher in experiment.labellers:
        yield Stage("label", label_step(experiment, experiment.model(teacher)))
    for name in settings.students:
        yield Stage("train", train_step(experiment, name))
        yield Stage("train", twin_step(experiment, name, GOLD_STEPS))
    for model in experiment.trained:
        if model not in (*asked, *twins):
            yield Stage("evaluate", predict_step(experiment, model))
    yield Stage("evaluate", predict_step(experiment, experiment.first_teacher, cross_view=True))
    for model, target in experiment.exports():
        yield Stage("export", export_step(experiment, model, target))
    for model, target in experiment.shipped():
        yield Stage("evaluate", predict_exported_step(experiment, model, target))
    yield Stage("evaluate", evaluate_step(experiment))
    yield Stage("bench", bench_step(experiment))


def bundles(experiment: Experiment) -> Iterator[Stage]:
    """The hand-off of each student; made only when every gate has passed."""
    for model in experiment.students:
        if model.role == "student":
            yield Stage("bundle", bundle_step(experiment, model))


def stages_until(stages: list[Stage], verb: str) -> list[Stage]:
    """The plan up to the last step of `verb`, all of it for later verbs; no step of another verb that nothing reads.

    Labels and exports are left out where no step that is kept reads them, and so is training before labels.
    """
    last = max((index for index, stage in enumerate(stages) if stage.verb == verb), default=len(stages) - 1)
    kept = stages[: last + 1]
    read = {artifact for stage in kept for artifact in stage.step.upstream}
    if verb == "label":
        return [stage for stage in kept if stage.verb != "train"]
    spared = {"label", "export"} - {verb}
    return [stage for stage in kept if stage.verb not in spared or stage.step.artifact in read]
