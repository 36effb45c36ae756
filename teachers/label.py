"""A teacher's logits for training and pool rows, shard by shard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from distill.core.progress import progress
from distill.core.record_store import read_records
from distill.core.records import Record
from distill.core.soft_labels import SoftLabels, shard_is_done, shard_ranges, statuses, write_shard
from distill.families.family import Opening, family_of
from distill.inference.scorer import Scores
from distill.training import device
from distill.training.joining import labelled_rows
from teachers.config import LabellingConfig
from teachers.cross_fit import HELD_OUT, CrossFit, Fold, Scale


@dataclass(frozen=True)
class _Part:
    """Rows that one model labels, in shards from number `first` on. Attributes: fold: of which they are held out."""

    model: Path
    rows: list[tuple[str, Record]]
    first: int
    fold: Fold | None = None


def label(
    config: LabellingConfig, teacher: Path, records: Path, threads: int, folder: Path, cross: CrossFit | None = None
) -> None:
    """Step body: `folder` becomes a soft-label store for all train and pool rows; finished shards are kept.

    Args: teacher: a model folder of any family. cross: fold models that label the training rows in its place, each
        those that are held out of its own fold, on the teacher's scale.
    """
    how = Opening(threads, device.resolve(config.precision), device.device(), config.batch_tokens)
    scale = Scale(teacher, cross, how) if cross else None
    for part in _parts(teacher, records, config.shard_rows, cross):
        _label_part(part, config, how, scale, folder)


def _label_part(part: _Part, config: LabellingConfig, how: Opening, scale: Scale | None, folder: Path) -> None:
    """Label what is missing of a part; its model is opened only if something is."""
    if not (shards := _missing(part, config, folder)):
        return
    finished = len(part.rows) - sum(len(rows) for _, rows in shards)
    factor = np.float32(scale.of(part.fold)) if scale and part.fold else None
    scorer = family_of(part.model).open(part.model, how)
    with progress(f"labelling by {part.model.name}" if scale else "labelling", len(part.rows), finished) as advance:
        fields = ([record.fields for _, record in rows] for _, rows in shards)
        scored = scorer.score_chunks(fields, lambda done: advance(finished + done))
        for (index, rows), scores in zip(shards, scored, strict=True):
            own = scores if factor is None else replace(scores, logits=scores.logits * factor)
            write_shard(folder, index, _soft_labels(rows, own), half=config.half)


def _parts(teacher: Path, records: Path, shard_rows: int, cross: CrossFit | None) -> Iterator[_Part]:
    """All rows to label, by the model that labels them."""
    rows, first = labelled_rows(records), 0
    for fold in cross.folds if cross else ():
        held_out = [("train", record) for record in read_records(fold.records, HELD_OUT)]
        yield _Part(fold.model, held_out, first, fold)
        first += len(list(shard_ranges(len(held_out), shard_rows)))
    yield _Part(teacher, [row for row in rows if row[0] != "train"] if cross else rows, first)


def _missing(part: _Part, config: LabellingConfig, folder: Path) -> list[tuple[int, list[tuple[str, Record]]]]:
    """Number and rows of each shard that is not there yet."""
    ranges = shard_ranges(len(part.rows), config.shard_rows)
    shards = [(part.first + index, part.rows[start:stop]) for index, start, stop in ranges]
    return [(index, rows) for index, rows in shards if not shard_is_done(folder, index, _ids(rows))]


def _soft_labels(part: Sequence[tuple[str, Record]], scores: Scores) -> SoftLabels:
    tokens = np.asarray(scores.tokens, np.int32)
    return SoftLabels(
        ids=_ids(part),
        sources=[source for source, _ in part],
        logits=scores.logits,
        tokens=tokens,
        cut_tokens=np.asarray(scores.cut_tokens, np.int32),
        status=statuses(scores.logits, tokens),
    )


def _ids(part: Sequence[tuple[str, Record]]) -> list[str]:
    return [record.id for _, record in part]
