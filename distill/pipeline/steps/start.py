"""Steps that make what a model starts from: its untouched encoder, a smaller vocabulary, the layers that it keeps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from distill.core.files import write_json
from distill.core.run_folder import LAYERS, RECORDS, RunFolder
from distill.core.steps import Read, Step
from distill.core.view import TOKENIZER_FILE, View
from distill.core.work import reading as reading_rows
from distill.models.config import VocabularyConfig
from distill.pipeline.ancestry import views_read
from distill.pipeline.experiment import Experiment
from distill.pipeline.models import ModelSpec, Start
from distill.pipeline.steps.pretrain import starting_steps
from students.config import StudentConfig

_PROBED_ROWS = 64


def start_steps(experiment: Experiment, spec: ModelSpec) -> Iterator[Step]:
    """What has to be made before a model's fit, in order; what several models start from is of equal steps."""
    yield from _encoder_steps(experiment, experiment.start(spec))
    for name in (*spec.through, spec.entry):
        if experiment.is_probed(name):
            student = experiment.models[name]
            source = experiment.start(student)
            assert source is not None
            yield from _encoder_steps(experiment, source)
            yield probe_step(experiment, student, source)


def _encoder_steps(experiment: Experiment, start: Start | None) -> Iterator[Step]:
    for one in start.chain if start else []:
        if one.checkpoint_of is not None:
            yield from starting_steps(experiment, one)
        if one.trimmed_for is not None:
            yield trim_step(experiment, one)


def trim_step(experiment: Experiment, start: Start) -> Step:
    """A start with the vocabulary of the training and pool texts, in all views that are read with it."""
    name, whole, project = start.trimmed_for, start.untrimmed, experiment.project
    assert name is not None and whole is not None
    entry = experiment.settings.entry(name)
    config = getattr(entry, "vocabulary", None)
    assert isinstance(config, VocabularyConfig)
    views, splits = views_read(name, experiment.settings), experiment.labelled_splits
    section = "teachers" if name in experiment.settings.teachers else "students"

    def body(folder: Path) -> None:
        from distill.core.record_store import iter_records
        from distill.models.vocabulary.counting import count_tokens
        from distill.models.vocabulary.trim import trim

        source, records = experiment.run / whole.artifact, experiment.run / RECORDS
        reading = [View(view, project.views[view], source / TOKENIZER_FILE) for view in views]
        rows = (record.fields for split in splits for record in iter_records(records, split))
        trim(source, count_tokens(reading, rows), config, f"{section}.{name}.vocabulary", folder)

    return Step(
        name=f"trim {start.artifact.partition('/')[2]}",
        artifact=start.artifact,
        body=body,
        config={
            "vocabulary": config.as_fingerprint(),
            "views": [project.views[view].as_fingerprint() for view in views],
        },
        reads=(Read(RECORDS, tuple(f"{split}.parquet" for split in splits)), Read(whole.artifact)),
        work=reading_rows(*splits),
    )


def probe_step(experiment: Experiment, spec: ModelSpec, start: Start) -> Step:
    """The layers that a student and its twins keep, by what removing each costs on a sample of training rows.

    No other rows are read: validation is left to choose between models.
    """
    student, project = spec.config, experiment.project
    assert isinstance(student, StudentConfig) and student.layers is not None
    view, rows, kept = project.views[spec.view], experiment.run / RECORDS, student.layers

    def body(folder: Path) -> None:
        import torch

        from distill.core.record_store import sample_records
        from distill.training.layer_probe import choose_layers

        torch.set_num_threads(project.threads)
        sample = sample_records(rows, "train", _PROBED_ROWS, project.seed)
        source = experiment.run / start.artifact
        reading, texts = View(spec.view, view, source / TOKENIZER_FILE), [record.fields for record in sample]
        write_json(folder / LAYERS, choose_layers(source, experiment.space, reading, texts, kept, spec.entry))

    return Step(
        name=f"probe {spec.entry}",
        artifact=RunFolder.probed(spec.entry),
        body=body,
        config={"layers": kept, "view": view.as_fingerprint(), "seed": project.seed, "threads": project.threads},
        reads=(Read(RECORDS, ("train.parquet",)), Read(start.artifact)),
    )
