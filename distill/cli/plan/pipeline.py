"""The steps of a run in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from distill.cli.plan.asking import choose_step, twins_step
from distill.cli.plan.evidence import bench_step, evaluate_step, predict_exported_step, predict_step
from distill.cli.plan.layout import GOLD, GOLD_STEPS, Layout
from distill.cli.plan.learning import checkpoint_step, label_step, records_step, teach_step, train_step, twin_step
from distill.cli.plan.leaving import bundle_step, export_step
from distill.core.steps import Step


@dataclass(frozen=True)
class Stage:
    """A step and the verb that it belongs to: `distill VERB` runs a plan up to its last step of that verb."""

    verb: str
    step: Step


def plan(layout: Layout) -> Iterator[Stage]:
    """From reading records to latency; the gates, the bundles and the report come after."""
    yield from asking(layout)
    yield from learning(layout)


def asking(layout: Layout) -> Iterator[Stage]:
    """Up to the choice of the labels, which decides what comes after."""
    settings = layout.settings
    yield Stage("audit", records_step(layout))
    for name, teacher in settings.teachers.items():
        if teacher.finished is None:
            yield Stage("teach", checkpoint_step(layout, name))
        yield Stage("teach", teach_step(layout, name))
    if layout.ceiling:
        yield Stage("teach", teach_step(layout, layout.lead.name, on_card=True))
    # Without students only `distill label` has something to choose.
    verb = "teach" if settings.students else "label"
    for model in layout.asked:
        yield Stage(verb, predict_step(layout, model))
    yield Stage(verb, choose_step(layout))


def learning(layout: Layout) -> Iterator[Stage]:
    """From the choice of the labels on: gold-only twins first, labels, students, and what they are worth."""
    settings, asked = layout.settings, layout.asked
    twins = [layout.twin(name, GOLD) for name in settings.students]
    for name, twin in zip(settings.students, twins, strict=True):
        yield Stage("train", twin_step(layout, name, GOLD))
        yield Stage("train", predict_step(layout, twin))
    if twins:
        yield Stage("train", twins_step(layout))
    for teacher in layout.labellers:
        yield Stage("label", label_step(layout, layout.model(teacher)))
    for name in settings.students:
        yield Stage("train", train_step(layout, name))
        yield Stage("train", twin_step(layout, name, GOLD_STEPS))
    for model in layout.trained:
        if model not in (*asked, *twins):
            yield Stage("evaluate", predict_step(layout, model))
    yield Stage("evaluate", predict_step(layout, layout.lead, foreign=True))
    for model, target in layout.exports():
        yield Stage("export", export_step(layout, model, target))
    for model, target in layout.shipped():
        yield Stage("evaluate", predict_exported_step(layout, model, target))
    yield Stage("evaluate", evaluate_step(layout))
    yield Stage("bench", bench_step(layout))


def bundles(layout: Layout) -> Iterator[Stage]:
    """The hand-off of each student; made only when every gate has passed."""
    for model in layout.students:
        if model.role == "student":
            yield Stage("bundle", bundle_step(layout, model))


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
