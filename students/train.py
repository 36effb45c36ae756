"""Training a student from stored soft labels, and its twins from gold alone.

No teacher is in memory, unless a loss term reads more of it than its logits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from distill.core.errors import UserError
from distill.core.files import read_json
from distill.core.label_space import LabelSpace
from distill.core.model_folder import HISTORY_FILE
from distill.core.record_store import read_records
from distill.core.records import Record
from distill.core.soft_labels import read_soft_labels
from distill.core.view import TOKENIZER_FILE, View
from distill.inference.collate import pad_id
from distill.models.pretrained import save_tokenizer
from distill.training.distillation_loss import DistillationLoss
from distill.training.examples import Logits, encode_examples
from distill.training.fit import fit
from distill.training.joining import Share, join, labelled_rows
from distill.training.losses.term import needs_teacher
from distill.training.run import Run
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


def train(
    config: StudentConfig, lesson: Lesson, labels: Mapping[Path, Share], folder: Path, teacher: Path | None = None
) -> None:
    """Step body: train a student on train and pool rows; `folder` becomes a model folder.

    Args: labels: soft-label stores and their shares. teacher: model folder of the teacher that labelled, with its
        tokenizer; loaded only for loss terms that read more than stored logits.
    Raises: GateFailed when the run collapses to one class. UserError when no row has a usable soft label, or a loss
        term reads the teacher's model and there is none, or one with another tokenizer.
    """
    terms = config.terms.values()
    if needs_teacher(terms):
        _require_teacher(config, lesson, teacher)
    soft = join([(read_soft_labels(store), share) for store, share in labels.items()], lesson.space.kind)
    if not soft:
        raise UserError("no usable soft labels", where=str(next(iter(labels), "labels")), do="label the pool again")
    rows = [row for _, row in labelled_rows(lesson.records) if row.id in soft or row.target is not None]
    loss = DistillationLoss(tuple(terms), lesson.space.kind)
    _train(config, lesson, rows, soft, _run("distilling", lesson, loss, teacher), folder)


def train_twin(config: StudentConfig, lesson: Lesson, student: Path | None, folder: Path) -> None:
    """Step body: train the student's twin, which has its start, view and recipe but gold labels only.

    Either kind keeps the weights with the lowest validation log loss, so a twin is not spoilt by more steps than it
    needs.

    Args: student: the trained student whose number of steps the twin takes; None: until it has converged itself.
    Raises: as `train`.
    """
    steps = read_json(student / HISTORY_FILE)["steps"] if student else None
    length = {"epochs": None, "max_steps": steps, "checkpoint": "best"}
    # A twin that answers alike for all rows is a weak baseline, no reason to end the run.
    training = config.training.model_copy(update={**length, "may_collapse": True})
    rows, loss = read_records(lesson.records, "train"), DistillationLoss(kind=lesson.space.kind)
    run = _run("training on gold only", lesson, loss)
    _train(config.model_copy(update={"training": training}), lesson, rows, {}, run, folder)


def _run(name: str, lesson: Lesson, loss: DistillationLoss, teacher: Path | None = None) -> Run:
    windows = lesson.view.config.windows
    return Run(
        name=name,
        labels=lesson.space.labels,
        loss=loss,
        pad_id=pad_id(lesson.source),
        pool=windows.pool if windows else "mean",
        seed=lesson.seed,
        threads=lesson.threads,
        teacher=teacher,
    )


def _train(
    config: StudentConfig,
    lesson: Lesson,
    rows: Sequence[Record],
    soft: Mapping[str, Logits],
    run: Run,
    folder: Path,
) -> None:
    import torch

    torch.manual_seed(lesson.seed)
    view, source = lesson.view, lesson.source
    renderer = view.renderer()
    valid = encode_examples(read_records(lesson.records, "valid"), renderer)
    model = start(config, lesson.space, source)
    fit(model, encode_examples(rows, renderer, soft), valid, config.training, run, folder)
    save_tokenizer(source, folder)
    View(view.name, view.config, folder / TOKENIZER_FILE).save(folder)


def _require_teacher(config: StudentConfig, lesson: Lesson, teacher: Path | None) -> None:
    """Check that the teacher can read the student's windows. Raises: UserError when it cannot, or there is none."""
    reading = [name for name, term in config.terms.items() if needs_teacher([term])]
    where = f"students.{config.preset}.losses"
    if teacher is None:
        raise UserError(
            "a loss term reads the teacher's model, and only its labels are here",
            where=where,
            found=", ".join(reading),
            do="take the term out, or learn from a teacher of this run instead of imported labels",
        )
    if (teacher / TOKENIZER_FILE).read_bytes() != (lesson.source / TOKENIZER_FILE).read_bytes():
        raise UserError(
            "a loss term reads the teacher's model, which has another tokenizer than the student",
            where=where,
            found=f"{', '.join(reading)}: {teacher} and {lesson.source}",
            do="take the term out, or let the student start from a teacher with the same tokenizer (source)",
        )
