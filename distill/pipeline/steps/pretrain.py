"""Steps that make a pre-trained encoder."""

from __future__ import annotations

from pathlib import Path

from distill.core.run_folder import RECORDS
from distill.core.steps import Read, Step
from distill.pipeline.experiment import Experiment
from distill.pipeline.steps.data import records_step
from distill.pipeline.steps.fit import local_files
from teachers.embedded import local_folder
from teachers.pretraining.config import PretrainConfig

PAIRS, START, PRETRAINED = "pretraining/pairs", "pretraining/start", "pretrained"


def pretraining_steps(experiment: Experiment, config: PretrainConfig) -> list[Step]:
    """From records and texts to `pretrained`, a Hugging Face folder."""
    records = [records_step(experiment)] if config.own else []
    return [
        *records,
        _pairs_step(experiment, config),
        _start_step(experiment, config),
        _pretrain_step(experiment, config),
    ]


def _pairs_step(experiment: Experiment, config: PretrainConfig) -> Step:
    from teachers.pretraining.collect import collect, reading_view, text_files

    project = experiment.project
    records = experiment.run / RECORDS if config.own else None
    read = {"own", "view", "category", "texts", "held_out"}
    return Step(
        name="collect pairs",
        artifact=PAIRS,
        body=lambda folder: collect(config, project, records, project.seed, folder),
        config={
            "pretrain": config.model_dump(mode="json", include=read, exclude_defaults=True),
            "view": reading_view(config, project).as_fingerprint(),
            "seed": project.seed,
        },
        reads=(Read(RECORDS),) if config.own else (),
        files=tuple(text_files(config, project)),
    )


def _start_step(experiment: Experiment, config: PretrainConfig) -> Step:
    """The encoder that is trained on: a copy of a checkpoint, or fresh weights with a vocabulary of their own."""
    checkpoint, seed = config.checkpoint, experiment.project.seed
    local = local_folder(checkpoint) if checkpoint else None

    def body(folder: Path) -> None:
        from teachers.pretraining.pairs import read_pairs, texts_of
        from teachers.starting_encoder import adopt_checkpoint, make_fresh

        if checkpoint is None:
            make_fresh(config.fresh, texts_of(read_pairs(experiment.run / PAIRS)), seed, folder)
        else:
            adopt_checkpoint(checkpoint, folder)

    return Step(
        name="start encoder",
        artifact=START,
        body=body,
        config={"checkpoint": None if local else checkpoint, "fresh": config.fresh.as_fingerprint(), "seed": seed},
        reads=() if checkpoint else (Read(PAIRS),),
        files=local_files(local),
    )


def _pretrain_step(experiment: Experiment, config: PretrainConfig) -> Step:
    seed, threads = experiment.project.weights_seed, experiment.project.threads

    def body(folder: Path) -> None:
        from teachers.pretraining.pretrain import Inputs, pretrain

        run = experiment.run
        inputs = Inputs(run / PAIRS, run / START, run.logs(PRETRAINED))
        pretrain(config, inputs, seed, threads, folder)

    teacher = local_folder(config.embedding_teacher.encoder) if config.embedding_teacher else None
    return Step(
        name="pretrain",
        artifact=PRETRAINED,
        body=body,
        config={
            "pretrain": config.as_fingerprint("texts"),
            "seed": seed,
            "threads": threads,
        },
        reads=(Read(PAIRS), Read(START)),
        files=local_files(teacher),
        version=2,
    )
