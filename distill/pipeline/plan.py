"""The steps of a run in order: the table of models walked in the order in which each needs the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from distill.core.errors import unknown_name
from distill.core.run_folder import CHOICE, RunFolder
from distill.core.steps import Step
from distill.pipeline.experiment import Experiment
from distill.pipeline.models import BASELINE, CONTROL, FOLD, STUDENT, ModelSpec
from distill.pipeline.remeasure import remeasured
from distill.pipeline.steps.bench import bench_step
from distill.pipeline.steps.choose import choose_step, twins_step
from distill.pipeline.steps.data import audit_step, records_step
from distill.pipeline.steps.evaluate import evaluate_step
from distill.pipeline.steps.export import bundle_step, export_step
from distill.pipeline.steps.fit import fit_step
from distill.pipeline.steps.label import folds_step, label_step
from distill.pipeline.steps.out_of_fold import out_of_fold_step
from distill.pipeline.steps.predict import cross_view_step, predict_exported_step, predict_step
from distill.pipeline.steps.refit import exact_labels_step, refit_step
from distill.pipeline.steps.select import select_step
from distill.pipeline.steps.start import start_steps
from distill.pipeline.steps.vocabulary import vocabulary_steps
from distill.pipeline.validation_choices import require_unchosen

VERBS = ("audit", "teach", "label", "select", "train", "evaluate", "export", "bench", "bundle", "report")
"""What a run may be made up to, in the order of its steps; `report` is all of it."""


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
    yield Stage("audit", records_step(experiment))
    yield Stage("audit", audit_step(experiment))
    for spec in experiment.early_controls:
        yield Stage("evaluate", fit_step(experiment, spec))
    yield from teaching(experiment)
    # Without students only `distill label` has something to choose.
    verb = "teach" if experiment.settings.distils else "label"
    made = {stage.step.artifact for stage in teaching(experiment)}
    for spec in experiment.asked:
        yield from _predicting(verb, experiment, [spec], made)
    yield Stage(verb, choose_step(experiment))


def teaching(experiment: Experiment) -> Iterator[Stage]:
    """The teachers, each after what it is made from and the labels that it learns."""
    made: set[str] = set()
    labelled: set[str] = set()
    for spec in experiment.early_teachers:
        for name in experiment.teachers_of(spec):
            if name not in labelled:
                labelled.add(name)
                yield from _label(experiment, experiment.models[name], made)
        yield from _predicting("teach", experiment, experiment.calibrated(spec), made)
        if spec.role == FOLD:
            yield from _dealing("teach", experiment, spec, made)
        yield from fitting("teach", experiment, spec, made)


def learning(experiment: Experiment) -> Iterator[Stage]:
    """From the choice of the labels on: gold-only twins first, labels, students, and what they are worth.

    While test rows are closed nothing is evaluated, since that reads them.
    """
    early = experiment.early_twins
    made = {stage.step.artifact for stage in teaching(experiment)}
    made |= {RunFolder.predicted(spec.label) for spec in experiment.asked}
    for spec in early:
        yield from fitting("train", experiment, spec, made)
        yield from _predicting("train", experiment, [spec], made)
    if early and experiment.has_validation and not experiment.imported:
        yield Stage("train", twins_step(experiment))
    yield from _distilling(experiment, made)
    yield from _predicting("evaluate", experiment, experiment.trained, made)
    document = experiment.document_teacher
    if document is not None and experiment.cross_view is not None:
        yield Stage("evaluate", cross_view_step(experiment, document, "card", experiment.cross_view))
    for one in remeasured(experiment):
        yield Stage("evaluate", cross_view_step(experiment, one.spec, one.view, one.name))
    for spec, rung in experiment.tried_exports():
        if experiment.settings.target(rung.target).refits:
            yield from _refitting(experiment, spec, rung.target, made)
        yield Stage("export", export_step(experiment, spec, rung))
    for spec, target in experiment.shipped():
        yield Stage("evaluate", predict_exported_step(experiment, spec, target))
    for spec in experiment.means_of_folds:
        yield Stage("evaluate", out_of_fold_step(experiment, spec))
    for step in vocabulary_steps(experiment):
        yield Stage("evaluate", step)
    if experiment.settings.closed:
        require_unchosen(experiment)
    else:
        yield Stage("evaluate", evaluate_step(experiment))
    yield Stage("bench", bench_step(experiment))


def _refitting(experiment: Experiment, spec: ModelSpec, target: str, made: set[str]) -> Iterator[Stage]:
    """A student's training as a target asks, after its own labels where those are what it learns by."""
    refit, own = refit_step(experiment, spec, target), exact_labels_step(experiment, spec)
    if own.artifact in refit.upstream and own.artifact not in made:
        made.add(own.artifact)
        yield Stage("export", own)
    yield Stage("export", refit)


def _distilling(experiment: Experiment, made: set[str]) -> Iterator[Stage]:
    """Labels and the students that learn from them, each model fitted before it labels."""
    labelled = {spec.name for spec in experiment.early_labellers}
    waiting = [spec for spec in experiment.labellers if spec.role != STUDENT and spec.name not in labelled]
    for spec in waiting:
        yield from _label(experiment, spec, made)
    if experiment.project.select is not None:
        yield Stage("select", select_step(experiment, experiment.project.select))
    labelled |= {spec.name for spec in waiting}
    early = {spec.name for spec in [*experiment.early_twins, *experiment.early_controls]}
    late = [spec for spec in experiment.of_role(STUDENT, BASELINE, CONTROL) if spec.name not in early]
    for spec in experiment.in_order([*late, *experiment.late_teachers]):
        for name in experiment.teachers_of(spec):
            if name not in labelled:
                labelled.add(name)
                yield from _label(experiment, experiment.models[name], made)
        yield from _predicting("train", experiment, experiment.calibrated(spec), made)
        yield from fitting("train", experiment, spec, made)


def _predicting(verb: str, experiment: Experiment, specs: Iterable[ModelSpec], made: set[str]) -> Iterator[Stage]:
    """What models say of validation and tests, each once. Args: made: as for `fitting`."""
    for spec in specs:
        if (step := predict_step(experiment, spec)).artifact not in made:
            made.add(step.artifact)
            yield Stage(verb, step)


def _label(experiment: Experiment, spec: ModelSpec, made: set[str]) -> Iterator[Stage]:
    """A model's labels, after the fits that label its training rows in its place. Args: made: as for `fitting`."""
    folds = experiment.folds(spec)
    for fold in folds:
        yield from _dealing("label", experiment, fold, made)
    originals = [experiment.models[fold.copy_of] for fold in folds if fold.copy_of]
    for fold in [*originals, *folds]:
        if fold.artifact not in made:
            made.add(fold.artifact)
            yield from fitting("label", experiment, fold, made)
    yield Stage("label", label_step(experiment, spec))


def _dealing(verb: str, experiment: Experiment, fold: ModelSpec, made: set[str]) -> Iterator[Stage]:
    """The training rows dealt into folds, unless the plan has that already."""
    if (dealt := folds_step(experiment, fold.fold[1])).artifact not in made:
        made.add(dealt.artifact)
        yield Stage(verb, dealt)


def fitting(verb: str, experiment: Experiment, spec: ModelSpec, made: set[str]) -> Iterator[Stage]:
    """A model's fit, after what it starts from. Args: made: artifacts that the plan has already."""
    for step in start_steps(experiment, spec) if spec.copy_of is None else ():
        if step.artifact not in made:
            made.add(step.artifact)
            yield Stage(verb, step)
    yield Stage(verb, fit_step(experiment, spec))


def bundles(experiment: Experiment) -> Iterator[Stage]:
    """The hand-off of each student; made only when every gate has passed."""
    for spec in {spec.name: spec for spec, _ in experiment.shipped()}.values():
        yield Stage("bundle", bundle_step(experiment, spec))


def require_verb(verb: str) -> None:
    """Check that a run may be made up to this verb. Raises: UserError with those that there are."""
    if verb not in VERBS:
        raise unknown_name("verb", verb, VERBS, "until")


def planned(experiment: Experiment, verb: str) -> list[Stage]:
    """The plan of a run up to the last step of `verb`; of a run for one model alone, what that one needs.

    That ends with the model's predictions, whatever the verb.
    """
    only = experiment.settings.only
    if only is None:
        return stages_until(list(plan(experiment)), verb)
    spec = experiment.models[only]
    wanted = {RunFolder.predicted(spec.label)} | ({CHOICE} if spec.role in (STUDENT, BASELINE) else set())
    return _needed(list(plan(experiment)), wanted, "audit")


def stages_until(stages: list[Stage], verb: str) -> list[Stage]:
    """The plan up to the last step of `verb`, all of it for later verbs; no step of another verb that nothing reads.

    Labels, selections and exports are left out where no step that is kept reads them. For `label` and `select` training
    is left out, and with it the labels of students that others learn from, which are made by `train`; and so are
    teachers that no label needs.
    """
    last = max((index for index, stage in enumerate(stages) if stage.verb == verb), default=len(stages) - 1)
    kept = stages[: last + 1]
    if verb in ("label", "select"):
        trained = {stage.step.artifact for stage in kept if stage.verb == "train"}
        early = [one for one in kept if one.verb != "train" and trained.isdisjoint(one.step.upstream)]
        return _needed(early, {CHOICE}, "audit", verb)
    read = {artifact for stage in kept for artifact in stage.step.upstream}
    spared = {"label", "select", "export"} - {verb}
    return [stage for stage in kept if stage.verb not in spared or stage.step.artifact in read]


def _needed(stages: list[Stage], wanted: set[str], *verbs: str) -> list[Stage]:
    """The stages of these verbs and those that make the wanted artifacts, with what they read."""
    for stage in reversed(stages):
        if stage.verb in verbs or stage.step.artifact in wanted:
            wanted |= {stage.step.artifact, *stage.step.upstream}
    return [stage for stage in stages if stage.step.artifact in wanted]
