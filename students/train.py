"""Training a student from stored soft labels; no teacher is in memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from distill.core.errors import UserError
from distill.core.label_space import LabelSpace
from distill.core.record_store import read_records
from distill.core.soft_labels import read_soft_labels
from distill.core.view import TOKENIZER_FILE, View
from distill.inference.collate import pad_id
from distill.models.checkpoint import save_tokenizer
from distill.training.examples import encode_examples
from distill.training.fit import Run, fit, optimiser_steps
from distill.training.joining import join, labelled_rows
from distill.training.losses import DistillationLoss
from students.config import StudentConfig
from students.start import start


def train(
    config: StudentConfig,
    space: LabelSpace,
    view: View,
    records: Path,
    labels: Mapping[Path, float],
    source: Path,
    seed: int,
    threads: int,
    folder: Path,
    *,
    gold_only: bool = False,
) -> None:
    """Step body: train a student on train and pool rows as `view` shows them; `folder` becomes a model folder.

    Args: labels: soft-label stores and their weights. source: the model folder whose layers it takes.
        gold_only: the baseline: same start, view and optimiser steps, but gold labels only.
    Raises: GateFailed when the run collapses to one class; UserError when no row has a usable soft label.
    """
    import torch

    torch.manual_seed(seed)
    soft = join([(read_soft_labels(store), weight) for store, weight in labels.items()], space.kind)
    if not soft:
        raise UserError("no usable soft labels", where=str(next(iter(labels), "labels")), do="label the pool again")
    rows = [record for _, record in labelled_rows(records) if record.id in soft or record.target is not None]
    training = config.training.model_copy(update={"max_steps": optimiser_steps(len(rows), config.training)})
    if gold_only:
        rows, soft = read_records(records, "train"), {}
    renderer = view.renderer()
    run = Run(
        name="training on gold only" if gold_only else "distilling",
        labels=space.labels,
        loss=DistillationLoss(config.temperature, 1.0 if gold_only else config.alpha, space.kind),
        pad_id=pad_id(source),
        pool=view.config.windows.pool if view.config.windows else "mean",
        seed=seed,
        threads=threads,
    )
    valid = encode_examples(read_records(records, "valid"), renderer)
    fit(start(config, space, source), encode_examples(rows, renderer, soft), valid, training, run, folder)
    save_tokenizer(source, folder)
    View(view.name, view.config, folder / TOKENIZER_FILE).save(folder)
