"""Training a student from stored soft labels, and its twins from gold alone; no teacher is in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from distill.core.errors import UserError
from distill.core.files import read_json
from distill.core.label_space import LabelSpace
from distill.core.record_store import read_records
from distill.core.records import Record
from distill.core.soft_labels import read_soft_labels
from distill.core.view import TOKENIZER_FILE, View
from distill.inference.collate import pad_id
from distill.models.pretrained import save_tokenizer
from distill.training.config import TrainingConfig
from distill.training.examples import Logits, encode_examples
from distill.training.fit import QUALITY_FILE, Run, fit
from distill.training.joining import Share, join, labelled_rows
from distill.training.losses import DistillationLoss
from students.config import StudentConfig
from students.start import start


@dataclass(frozen=True)
class Lesson:
    """What a student and its twins share.

    Attributes:
        space: the classes. view: what is read. records: the records artifact. source: the model folder whose layers are
        taken. seed: order, dropout and fresh weights. threads: of the processor.
    """

    space: LabelSpace
    view: View
    records: Path
    source: Path
    seed: int
    threads: int


def train(config: StudentConfig, lesson: Lesson, labels: Mapping[Path, Share], folder: Path) -> None:
    """Step body: train a student on train and pool rows; `folder` becomes a model folder.

    Args: labels: soft-label stores and their shares.
    Raises: GateFailed when the run collapses to one class; UserError when no row has a usable soft label.
    """
    soft = join([(read_soft_labels(store), share) for store, share in labels.items()], lesson.space.kind)
    if not soft:
        raise UserError("no usable soft labels", where=str(next(iter(labels), "labels")), do="label the pool again")
    rows = [row for _, row in labelled_rows(lesson.records) if row.id in soft or row.target is not None]
    loss = DistillationLoss(config.temperature, config.alpha, lesson.space.kind)
    _train(config, config.training, lesson, rows, soft, loss, "distilling", folder)


def train_twin(config: StudentConfig, lesson: Lesson, student: Path | None, folder: Path) -> None:
    """Step body: train the student's twin, which has its start, view and recipe but gold labels only.

    Either kind keeps the weights with the lowest validation log loss, so a twin is not spoilt by more steps than it
    needs.

    Args: student: the trained student whose number of steps the twin takes; None: until it has converged itself.
    Raises: as `train`.
    """
    steps = read_json(student / QUALITY_FILE)["steps"] if student else None
    length = {"epochs": None, "max_steps": steps, "checkpoint": "best"}
    # A twin that answers alike for all rows is a weak baseline, no reason to end the run.
    training = config.training.model_copy(update={**length, "may_collapse": True})
    rows, loss = read_records(lesson.records, "train"), DistillationLoss(kind=lesson.space.kind)
    _train(config, training, lesson, rows, {}, loss, "training on gold only", folder)


def _train(
    config: StudentConfig,
    training: TrainingConfig,
    lesson: Lesson,
    rows: Sequence[Record],
    soft: Mapping[str, Logits],
    loss: DistillationLoss,
    name: str,
    folder: Path,
) -> None:
    import torch

    torch.manual_seed(lesson.seed)
    view, source = lesson.view, lesson.source
    renderer = view.renderer()
    run = Run(
        name=name,
        labels=lesson.space.labels,
        loss=loss,
        pad_id=pad_id(source),
        pool=view.config.windows.pool if view.config.windows else "mean",
        seed=lesson.seed,
        threads=lesson.threads,
    )
    valid = encode_examples(read_records(lesson.records, "valid"), renderer)
    fit(start(config, lesson.space, source), encode_examples(rows, renderer, soft), valid, training, run, folder)
    save_tokenizer(source, folder)
    View(view.name, view.config, folder / TOKENIZER_FILE).save(folder)
