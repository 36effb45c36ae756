"""Steps that make a pre-trained encoder."""

from __future__ import annotations

from pathlib import Path

from distill.core.steps import Step
from distill.pipeline.experiment import RECORDS, Experiment
from distill.pipeline.steps.data import records_step
from distill.pipeline.steps.teachers import model_files
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
            "pretrain": config.model_dump(mode="json", include=read),
            "view": reading_view(config, project).as_json(),
            "seed": project.seed,
        },
        upstream=(RECORDS,) if config.own else (),
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
        config={"checkpoint": None if local else checkpoint, "fresh": config.fresh.as_json(), "seed": seed},
        upstream=() if checkpoint else (PAIRS,),
        files=model_files(local),
    )


def _pretrain_step(experiment: Experiment, config: PretrainConfig) -> Step:
    seed, threads = experiment.project.weights_seed, experiment.project.threads

    def body(folder: Path) -> None:
        from teachers.pretraining.pretrain import pretrain

        pretrain(config, experiment.run / PAIRS, experiment.run / START, seed, threads, folder)

    teacher = local_folder(config.embedding_teacher.encoder) if config.embedding_teacher else None
    return Step(
        name="pretrain",
        artifact=PRETRAINED,
        body=body,
        config={
            "pretrain": config.model_dump(mode="json", exclude={"texts"}),
            "seed": seed,
            "threads": threads,
        },
        upstream=(PAIRS, START),
        files=model_files(larger),
        version=2,
    )
