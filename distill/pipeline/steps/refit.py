"""The step that trains a finished student further as an export target asks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from distill.core.run_folder import RunFolder
from distill.core.steps import Read, Step
from distill.pipeline.experiment import Experiment
from distill.pipeline.models import ModelSpec
from distill.pipeline.steps.fit import Sources, fit_step, lesson_of
from export.targets.onnx_int8_qat import OnnxInt8Qat
from students.config import StudentConfig


def refit_step(experiment: Experiment, spec: ModelSpec, target: str) -> Step:
    """A student fitted further with rounded layers. What its file is made like redoes nothing of this: the step depends
    on the student, on what that was fitted on, and on the target's `fit` alone.
    """
    chosen, config, learnt = experiment.settings.target(target), spec.config, fit_step(experiment, spec)
    assert isinstance(chosen, OnnxInt8Qat) and isinstance(config, StudentConfig)
    how = chosen.fit

    def body(folder: Path) -> None:
        from export.quantised_fit import fit_rounded

        lesson = lesson_of(experiment, spec, Sources.of(experiment, spec))
        logs = experiment.run.logs(RunFolder.refitted(spec.name, target))
        fit_rounded(config, how, replace(lesson, title="rounding", logs=logs), experiment.run / spec.artifact, folder)

    return Step(
        name=f"refit {spec.name}.{target}",
        artifact=RunFolder.refitted(spec.name, target),
        body=body,
        config={"student": learnt.config, "fit": how.as_fingerprint()},
        reads=(*learnt.reads, Read(spec.artifact)),
        together=learnt.together,
        alone=learnt.alone,
    )
