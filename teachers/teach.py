"""Fine-tuning a teacher on gold labels."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

from distill.core.errors import UserError, unknown_name
from distill.core.files import read_json
from distill.core.label_space import LabelSpace
from distill.core.manifest import MANIFEST
from distill.core.record_store import read_records
from distill.core.records import Record
from distill.core.view import TOKENIZER_FILE, VIEW_FILE, View
from distill.inference.collate import pad_id
from distill.models import pretrained
from distill.models.encoder import labels_of, load_classifier, quiet
from distill.training.distillation_loss import DistillationLoss
from distill.training.examples import encode_examples
from distill.training.fit import fit
from distill.training.run import Run
from teachers.config import TeacherConfig


def teach(
    config: TeacherConfig,
    space: LabelSpace,
    view: View,
    records: Path,
    checkpoint: Path,
    seed: int,
    threads: int,
    folder: Path,
) -> None:
    """Step body: fine-tune `checkpoint` on the training rows as `view` shows them; `folder` becomes a model folder.

    Raises: GateFailed when the run collapses to one class. UserError for a slice that no training row has.
    """
    import torch

    renderer = view.renderer()
    torch.manual_seed(seed)
    model = load_classifier(checkpoint, space.labels, space.kind)
    run = Run(
        name=f"fine-tuning on {view.name}",
        labels=space.labels,
        loss=DistillationLoss(kind=space.kind),
        pad_id=pad_id(checkpoint),
        pool=view.config.windows.pool if view.config.windows else "mean",
        seed=seed,
        threads=threads,
    )
    train = encode_examples(training_rows(records, config.slices), renderer)
    valid = encode_examples(read_records(records, "valid"), renderer)
    fit(model, train, valid, config.training, run, folder)
    adopt_tokenizer(checkpoint, view, folder)


def training_rows(records: Path, slices: Collection[str] | None) -> list[Record]:
    """The training rows of these slices; all for None.

    Raises: UserError for a slice that no training row has, with those there are.
    """
    rows = read_records(records, "train")
    if slices is None:
        return rows
    known = {row.slice for row in rows if row.slice is not None}
    for name in slices:
        if name not in known:
            raise unknown_name("slice", name, known, "a teacher's slices")
    return [row for row in rows if row.slice in slices]


def copy_teacher(source: Path, view: View, folder: Path) -> None:
    """Step body: `folder` becomes the fine-tuned teacher in `source` under another name of the same view."""
    for path in (*source.glob("*.json"), *source.glob("*.safetensors")):
        if path.name != MANIFEST:
            shutil.copyfile(path, folder / path.name)
    view.save(folder)


def adopt_finished(finished: str, space: LabelSpace, view: View, folder: Path) -> None:
    """Step body: `folder` becomes a copy of a teacher that was fine-tuned elsewhere.

    Raises: UserError when it is no safe Hugging Face classifier, its labels are not the task's, in the task's order, or
        it carries a `view.json` of another view.
    """
    source = pretrained.resolve(finished)
    pretrained.require_safe(source)
    if (source / VIEW_FILE).exists():
        view.require(View.load(source), "the finished teacher")
    _require_head(source)
    found = tuple(labels_of(load_classifier(source)))
    generic = tuple(f"LABEL_{index}" for index in range(len(space)))
    if found not in (space.labels, generic):
        raise UserError(
            "the finished teacher was trained for other labels",
            where=str(source),
            found=", ".join(found),
            do=f"task.labels must name them in the same order; now: {', '.join(space.labels)}",
        )
    model = load_classifier(source, space.labels, space.kind)
    with quiet():
        model.save_pretrained(folder)
    adopt_tokenizer(source, view, folder)


def _require_head(source: Path) -> None:
    """Refuse a bare encoder: it would be given a head of random weights."""
    found = read_json(source / "config.json").get("architectures") or []
    if not any("SequenceClassification" in name for name in found):
        raise UserError(
            "the finished teacher has no classification head",
            where=str(source / "config.json"),
            found=f"architectures {found}",
            do="give the folder of a fine-tuned classifier, or fine-tune this encoder with --checkpoint",
        )


def adopt_tokenizer(source: Path, view: View, folder: Path) -> None:
    """Copy the tokenizer of `source` into a model folder and write the view bound to it."""
    pretrained.save_tokenizer(source, folder)
    View(view.name, view.config, folder / TOKENIZER_FILE).save(folder)
