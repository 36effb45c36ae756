"""Steps that make a pre-trained encoder."""

from __future__ import annotations

from pathlib import Path

from distill.cli.plan.layout import RECORDS, Layout
from distill.cli.plan.learning import model_files, records_step
from distill.core.steps import Step
from teachers.embedded import local_folder
from teachers.pretraining.config import PretrainConfig

PAIRS, START, PRETRAINED = "pretraining/pairs", "pretraining/start", "pretrained"


def pretraining_steps(layout: Layout, config: PretrainConfig) -> list[Step]:
    """From records and texts to `pretrained`, a Hugging Face folder."""
    records = [records_step(layout)] if config.own else []
    return [*records, _pairs_step(layout, config), _start_step(layout, config), _pretrain_step(layout, config)]


def _pairs_step(layout: Layout, config: PretrainConfig) -> Step:
    from teachers.pretraining.collect import collect, reading_view, text_files

    project = layout.project
    records = layout.run / RECORDS if config.own else None
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


def _start_step(layout: Layout, config: PretrainConfig) -> Step:
    """The encoder that is trained on: a copy of a checkpoint, or fresh weights with a vocabulary of their own."""
    checkpoint, seed = config.checkpoint, layout.project.seed
    local = local_folder(checkpoint) if checkpoint else None

    def body(folder: Path) -> None:
        from teachers.checkpoint import adopt_checkpoint, make_fresh
        from teachers.pretraining.pairs import read_pairs, texts_of

        if checkpoint is None:
            make_fresh(config.fresh, texts_of(read_pairs(layout.run / PAIRS)), seed, folder)
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


def _pretrain_step(layout: Layout, config: PretrainConfig) -> Step:
    seed, threads = layout.project.weights_seed, layout.project.threads

    def body(folder: Path) -> None:
        from teachers.pretraining.pretrain import pretrain

        pretrain(config, layout.run / PAIRS, layout.run / START, seed, threads, folder)

    larger = local_folder(config.larger.encoder) if config.larger else None
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
    )
