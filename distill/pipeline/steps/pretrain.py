"""Steps that make a pre-trained encoder: one of its own, or what a teacher starts from, adapted to the run's texts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from distill.core.run_folder import RECORDS, RunFolder
from distill.core.steps import Read, Step, files_by_source
from distill.core.work import Counts, Work
from distill.pipeline.adapting import adapting
from distill.pipeline.experiment import Experiment
from distill.pipeline.models import Start
from distill.pipeline.steps.data import records_step
from distill.pipeline.steps.fit import checkpoint_step, local_files
from distill.training.work import fit_work
from teachers.embedded import local_folder
from teachers.pretraining.config import PretrainConfig

PRETRAINED = "pretrained"


@dataclass(frozen=True)
class _Places:
    """Where a pre-training's artifacts are, and what its steps are called.

    Attributes: pairs: the texts. start: the encoder that is trained. made: what becomes of it. suffix: of step names.
    """

    pairs: str
    start: str
    made: str
    suffix: str = ""


_OWN = _Places("pretraining/pairs", "pretraining/start", PRETRAINED)


def pretraining_steps(experiment: Experiment, config: PretrainConfig) -> list[Step]:
    """From records and texts to `pretrained`, a Hugging Face folder."""
    records = [records_step(experiment)] if config.own else []
    return [
        *records,
        _pairs_step(experiment, config, _OWN),
        _start_step(experiment, config),
        _pretrain_step(experiment, config, _OWN),
    ]


def starting_steps(experiment: Experiment, start: Start) -> Iterator[Step]:
    """The encoder that models start from, with its adaptation to the run's texts where its teacher has one.

    Read are training and pool rows alone, through the teacher's view; never validation or test rows.
    """
    name = start.checkpoint_of
    assert name is not None
    yield checkpoint_step(experiment, name)
    if start.artifact != RunFolder.checkpoint(name):
        config = adapting(experiment.settings, name)
        places = _Places(RunFolder.pairs(name), RunFolder.checkpoint(name), start.artifact, f" {name}")
        yield _pairs_step(experiment, config, places)
        yield _pretrain_step(experiment, config, places)


def _pairs_step(experiment: Experiment, config: PretrainConfig, places: _Places) -> Step:
    from teachers.pretraining.collect import collect, reading_view, text_files

    project = experiment.project
    texts = text_files(config, project)
    records = experiment.run / RECORDS if config.own else None
    read = {"own", "view", "category", "texts", "held_out"}
    # A run of its own reads the whole store; a step of a run names its files, so that others redo nothing.
    splits = experiment.labelled_splits if places.suffix else []
    rows = Read(RECORDS, tuple(f"{split}.parquet" for split in splits))
    return Step(
        name=f"collect pairs{places.suffix}",
        artifact=places.pairs,
        body=lambda folder: collect(config, project, records, project.seed, folder),
        config={
            "pretrain": config.model_dump(mode="json", include=read, exclude_defaults=True),
            "view": reading_view(config, project).as_fingerprint(),
            "seed": project.seed,
            **files_by_source(texts),
        },
        reads=(rows,) if config.own else (),
        files=tuple(path for files in texts.values() for path in files),
    )


def _start_step(experiment: Experiment, config: PretrainConfig) -> Step:
    """The encoder that is trained on: a copy of a checkpoint, or fresh weights with a vocabulary of their own."""
    checkpoint, seed = config.checkpoint, experiment.project.seed
    local = local_folder(checkpoint) if checkpoint else None

    def body(folder: Path) -> None:
        from teachers.pretraining.pairs import read_pairs, texts_of
        from teachers.starting_encoder import adopt_checkpoint, make_fresh

        if checkpoint is None:
            make_fresh(config.fresh, texts_of(read_pairs(experiment.run / _OWN.pairs)), seed, folder)
        else:
            adopt_checkpoint(checkpoint, folder)

    return Step(
        name="start encoder",
        artifact=_OWN.start,
        body=body,
        config={"checkpoint": None if local else checkpoint, "fresh": config.fresh.as_fingerprint(), "seed": seed},
        reads=() if checkpoint else (Read(_OWN.pairs),),
        files=local_files(local),
    )


def _pretrain_step(experiment: Experiment, config: PretrainConfig, places: _Places) -> Step:
    seed, threads = experiment.project.weights_seed, experiment.project.threads

    def body(folder: Path) -> None:
        from teachers.pretraining.pretrain import Inputs, pretrain

        run = experiment.run
        inputs = Inputs(run / places.pairs, run / places.start, run.logs(places.made))
        pretrain(config, inputs, seed, threads, folder)

    def work(rows: Counts) -> Work:
        read = sum(rows.get(split, 0) for split in experiment.labelled_splits)
        return fit_work(config.training, max(0, read - config.held_out), config.held_out)

    teacher = local_folder(config.embedding_teacher.encoder) if config.embedding_teacher else None
    return Step(
        name=f"pretrain{places.suffix}",
        artifact=places.made,
        body=body,
        config={
            "pretrain": config.as_fingerprint("texts"),
            "seed": seed,
            "threads": threads,
        },
        reads=(Read(places.pairs), Read(places.start)),
        files=local_files(teacher),
        version=3,
        work=work,
        together=True,
    )
