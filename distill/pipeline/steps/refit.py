"""The step that trains a finished student further as an export target asks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from distill.core.files import read_json
from distill.core.run_folder import LABEL_CARD, RECORDS, RunFolder
from distill.core.steps import Read, Step
from distill.core.work import reading
from distill.families.family import CONFIG_FILE
from distill.pipeline.experiment import Experiment
from distill.pipeline.models import ModelSpec
from distill.pipeline.steps.fit import Sources, fit_step, lesson_of
from distill.training.joining import Share
from export.targets.onnx_int8_qat import OnnxInt8Qat
from students.config import StudentConfig
from teachers.config import LabellingConfig


def exact_labels_step(experiment: Experiment, spec: ModelSpec) -> Step:
    """A student's own logits for train and pool rows, in fp32: 16 bits, as teachers may label in, change them more than
    rounding does.
    """
    config, splits = LabellingConfig(precision="fp32"), experiment.labelled_splits

    def body(folder: Path) -> None:
        from teachers.label import LabelOptions, label

        run, project = experiment.run, experiment.project
        options = LabelOptions(labelling=project.labelling)
        label(config, run / spec.artifact, run / RECORDS, project.threads, folder, options)

    return Step(
        name=f"label {spec.name} exactly",
        artifact=RunFolder.exact_labels(spec.name),
        body=body,
        config=config.as_fingerprint(),
        reads=(Read(RECORDS, tuple(f"{split}.parquet" for split in splits)), Read(spec.artifact)),
        work=reading(*splits),
        apart=(LABEL_CARD,),
        together=True,
    )


def refit_step(experiment: Experiment, spec: ModelSpec, target: str) -> Step:
    """A student fitted further with rounded layers, on its own labels unless the target's `fit` says otherwise.

    What its file is made like redoes nothing of this: the step depends on the student, on what that was fitted on, and
    on `fit` alone.
    """
    chosen, config, learnt = experiment.settings.target(target), spec.config, fit_step(experiment, spec)
    assert isinstance(chosen, OnnxInt8Qat) and isinstance(config, StudentConfig)
    how = chosen.fit
    own = RunFolder.exact_labels(spec.name) if how.labels == "student" else None

    def body(folder: Path) -> None:
        from export.quantised_fit import fit_rounded

        chosen.require_config(read_json(experiment.run / spec.artifact / CONFIG_FILE))
        lesson = lesson_of(experiment, spec, Sources.of(experiment, spec))
        logs = experiment.run.logs(RunFolder.refitted(spec.name, target))
        lesson = replace(lesson, title="rounding", logs=logs)
        if own:
            lesson = replace(lesson, labels={experiment.run / own: Share()}, teacher=None, teacher_views={})
        fit_rounded(config, how, lesson, experiment.run / spec.artifact, folder)

    return Step(
        name=f"refit {spec.name}.{target}",
        artifact=RunFolder.refitted(spec.name, target),
        body=body,
        config={"student": learnt.config, "fit": how.as_fingerprint()},
        reads=(*dict.fromkeys((*learnt.reads, Read(spec.artifact), *([Read(own)] if own else []))),),
        together=learnt.together,
        alone=learnt.alone,
    )
