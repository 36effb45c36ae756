"""Running a plan: one lock, the steps in order, the gates, the bundles, the report."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rich.console import Console

from distill.cli.console import ConsoleReporter
from distill.cli.plan.layout import Layout, exported
from distill.cli.plan.pipeline import asking, bundles, plan, stages_until
from distill.cli.settings import Settings
from distill.cli.soundness import require_intervals, require_layers, require_slices
from distill.core.errors import MissingExtra
from distill.core.files import write_json
from distill.core.lock import run_lock
from distill.core.progress import reporting
from distill.core.steps import Step, Steps
from distill.report.assemble import assemble
from distill.report.gates import LEAK, VALIDATION, require, require_teacher
from distill.report.page import write_page

VERSIONED = ("distill", "numpy", "pyarrow", "tokenizers", "torch", "transformers", "onnx", "onnxruntime")
_MODULE_EXTRAS = {"torch": "train", "transformers": "train", "accelerate": "train", "onnxruntime": "cpu", "onnx": "cpu"}


def execute(settings: Settings, console: Console, until: str = "report") -> dict[str, Any]:
    """Make every artifact up to the last step of the verb `until`; returns report.json's content.

    Raises: GateFailed after the report is written, when a gate failed: a leak or too few validation rows stop the run
        before anything is trained, a teacher that knows too little before anything is labelled, every other gate before
        the bundles. UserError for what the user gave.
    """
    layout, reporter = Layout(settings), ConsoleReporter(console)
    with run_lock(settings.run), reporting(reporter):
        steps = Steps(settings.run, settings.as_json(), versions(), reporter.stage_starts, reporter.stage_ends)
        first = {stage.step.artifact for stage in asking(layout)}
        stages = stages_until(list(plan(layout)), until)
        if any(stage.verb == "train" for stage in stages):
            require_layers(layout)
        for stage in (stage for stage in stages if stage.step.artifact in first):
            run_step(steps, stage.step)
            if stage.verb == "audit":
                _require_audit(layout, _write_report(layout, steps), until)
        # The choice is made, and may have changed what comes after.
        later = [stage for stage in stages_until(list(plan(layout)), until) if stage.step.artifact not in first]
        if any(stage.verb in ("label", "train") for stage in later):
            require_teacher(_write_report(layout, steps), str(settings.run / "report.html"))
        for stage in later:
            run_step(steps, stage.step)
        report = _write_report(layout, steps)
        if until in ("bundle", "report"):
            require(report["gates"], str(settings.run / "report.html"))
            for stage in bundles(layout):
                run_step(steps, stage.step)
            report = _write_report(layout, steps)
    return report


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that results depend on, as far as they are installed."""
    found = {"python": platform.python_version()}
    for package in VERSIONED:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def run_step(steps: Steps, step: Step) -> None:
    """Make a step's artifact. Raises: MissingExtra where it needs a library that is not installed."""
    try:
        steps.run(step)
    except ModuleNotFoundError as error:
        extra = _MODULE_EXTRAS.get((error.name or "").split(".")[0])
        if extra is None:
            raise
        raise MissingExtra(f"the step '{step.name}'", extra) from error


def _require_audit(layout: Layout, report: dict[str, Any], until: str) -> None:
    """Check what the rows alone decide: leaks, and for verbs beyond the audit intervals, validation rows and slices."""
    page = str(layout.run / "report.html")
    require([gate for gate in report["gates"] if gate["name"] == LEAK], page)
    if until != "audit":
        require([gate for gate in report["gates"] if gate["name"] == VALIDATION], page)
        require_intervals(layout)
        require_slices(layout)


def _write_report(layout: Layout, steps: Steps) -> dict[str, Any]:
    folder, exports = layout.run, [layout.run / exported(model, target) for model, target in layout.exports()]
    models = {model.label: folder / model.artifact for model in layout.trained}
    report = assemble(layout.project, folder, exports, steps.stages, {"versions": versions()}, models)
    write_json(folder / "report.json", report)
    write_page(report, folder / "report.html")
    return report
