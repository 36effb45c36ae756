"""Running a plan: one lock, the steps in order, the gates, the bundles, the report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from distill.core.errors import DistillError, UserError
from distill.core.files import Json
from distill.core.lock import at_work
from distill.core.manifest import require_whole
from distill.core.progress import Reporter, note, reporting
from distill.core.run_folder import RunFolder
from distill.core.sealed import write_sealed
from distill.core.steps import Step, Steps, nobody
from distill.core.versions import versions_of
from distill.evaluation.entries import Gate
from distill.pipeline.backends import require_backends
from distill.pipeline.checkpoints import try_checkpoints
from distill.pipeline.currency import current
from distill.pipeline.experiment import Experiment
from distill.pipeline.extras import naming_extras
from distill.pipeline.models import PHASE
from distill.pipeline.plan import asking, bundles, planned
from distill.pipeline.preflight import (
    few_rows,
    require_folds,
    require_intervals,
    require_labelling,
    require_layers,
    require_machine,
    require_positive,
    require_provider,
    require_slices,
    tell_targets,
)
from distill.pipeline.settings import Settings
from distill.pipeline.term_shapes import require_comparable
from distill.pipeline.together import require_together
from distill.report.assemble import Exported, assemble
from distill.report.contents import gates_of
from distill.report.failed_gates import require, require_no_leak, require_teacher, require_validation
from distill.report.outcome import FINISHED, UNFINISHED, stopped
from distill.report.page import write_page
from distill.report.tracking import track, trackers

VERSIONED = ("distill", "numpy", "pyarrow", "tokenizers", "torch", "transformers", "onnx", "onnxruntime")


def execute(
    settings: Settings, reporter: Reporter, until: str = "report", on_body: Callable[[Path, Step], None] = nobody
) -> Json:
    """Make every artifact up to the last step of the verb `until`; returns report.json's content.

    The report is written as the run goes on, and says of itself whether the run has ended, and how.

    Checkpoints and finished teachers are tried before the first step.

    Args: on_body: told the run folder and each step that is made, when its work begins.

    Raises: GateFailed after the report is written, when a gate failed: a leak or too few validation rows stop the run
        before anything is trained, a teacher that knows too little before anything is labelled, every other gate before
        the bundles. UserError for what the user gave.
    """
    experiment, asked = Experiment(settings), trackers(settings.project.report.trackers)
    with at_work(settings.run), reporting(reporter):
        told = reporter.step_starts, reporter.step_ends, on_body
        steps = Steps(settings.run, settings.as_json(), versions(), *told)
        steps.alike = settings.alike
        try:
            _make(experiment, steps, until)
            hands_off = until in ("bundle", "report")
            report = _write_report(experiment, steps, UNFINISHED if hands_off else FINISHED)
            # Before the gates are asked: what failed one is what a tracker is looked at for.
            track(asked, settings.run, report, settings.as_json())
            if hands_off:
                _hand_off(experiment, steps, gates_of(report))
                report = _write_report(experiment, steps, FINISHED)
            return report
        except DistillError as error:
            # On a disk that is full the report cannot be written either: the first error is the one to tell.
            with suppress(UserError):
                texts = experiment.project.report.texts
                _write_report(experiment, steps, stopped(error, steps.stages, texts))
            raise


def _make(experiment: Experiment, steps: Steps, until: str) -> None:
    """Make the steps up to a verb. Raises: GateFailed for a gate that stops them."""
    page = str(experiment.run.page)
    first = {stage.step.artifact for stage in asking(experiment)}
    stages = planned(experiment, until)
    if any(stage.verb == "train" for stage in stages):
        require_layers(experiment)
        require_comparable(experiment)
        tell_targets(experiment)
    if any(stage.verb in ("evaluate", "bench") for stage in stages):
        require_provider(experiment)
    exports = [stage.step for stage in stages if stage.verb == "export"]
    require_machine(experiment, {step.artifact for step in exports if not steps.is_done(step)})
    labels = [stage.step for stage in stages if stage.verb == "label"]
    require_labelling(experiment, pending=not all(map(steps.is_done, labels)))
    if labels:
        require_backends(experiment.settings)
    require_together([stage.step for stage in stages], steps)
    try_checkpoints(experiment, stages, steps)
    for stage in (stage for stage in stages if stage.step.artifact in first):
        run_step(steps, stage.step)
        if stage.step.artifact == experiment.run.audit.parent.name:
            _require_audit(experiment, _write_report(experiment, steps), until)
    # The choice is made, and may have changed what comes after.
    later = [stage for stage in planned(experiment, until) if stage.step.artifact not in first]
    if any(stage.verb in ("label", "train") for stage in later):
        require_teacher(_write_report(experiment, steps), page)
    _make_later(experiment, steps, until, first)


def _make_later(experiment: Experiment, steps: Steps, until: str, made: set[str]) -> None:
    """The steps after the choice. A file that fails its gates may add others to the plan, so that it is made again
    after each. Args: made: the artifacts that are made already.
    """
    made = set(made)
    while left := [stage for stage in planned(experiment, until) if stage.step.artifact not in made]:
        for stage in left:
            run_step(steps, stage.step)
            made.add(stage.step.artifact)
            if stage.verb == "export":
                break


def _hand_off(experiment: Experiment, steps: Steps, gates: Sequence[Gate]) -> None:
    """Make the bundles. Raises: GateFailed before that when a gate failed."""
    require(gates, str(experiment.run.page))
    for step in (stage.step for stage in bundles(experiment)):
        run_step(steps, step)
        require_whole(experiment.run / step.artifact, step.manifest)


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that results depend on, as far as they are installed."""
    return versions_of(VERSIONED)


def run_step(steps: Steps, step: Step) -> None:
    """Make a step's artifact. Raises: MissingExtra where it needs a library that is not installed."""
    with naming_extras(f"the step '{step.name}'"):
        steps.run(step)


def _require_audit(experiment: Experiment, report: Json, until: str) -> None:
    """Check what the rows alone decide: leaks, and for verbs beyond the audit validation rows, intervals and slices."""
    page, gates = str(experiment.run.page), gates_of(report)
    require_no_leak(gates, page)
    if until != "audit":
        require_validation(gates, page)
        require_positive(experiment, report)
        require_intervals(experiment)
        require_slices(experiment)
        require_folds(experiment)
        for one in few_rows(experiment, report["audit"]):
            note(one)


def _write_report(experiment: Experiment, steps: Steps, outcome: Json = UNFINISHED) -> Json:
    run, made = experiment.run, current(experiment, steps)
    target_of = experiment.settings.target
    exports = {
        f"{spec.label}.{target}": Exported(run / artifact, target_of(target).declared())
        for spec, target in experiment.exports()
        if (artifact := RunFolder.export(spec.name, target)) in made.names
    }
    fitted = [*experiment.trained, *experiment.of_role(PHASE)]
    models = {spec.label: run / spec.artifact for spec in fitted if spec.artifact in made.names}
    found = assemble(experiment.project, made, exports, steps.stages, {"versions": versions()}, models)
    report = {**found, "outcome": outcome}
    write_sealed(run.report, report)
    write_page(report, run.page)
    return report
