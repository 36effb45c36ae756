"""A teacher's logits for training and pool rows, shard by shard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from distill.core.progress import progress
from distill.core.records import Record
from distill.core.soft_labels import SoftLabels, shard_is_done, shard_ranges, statuses, write_shard
from distill.families.family import Opening, family_of
from distill.inference.scorer import Scores
from distill.training import device
from distill.training.joining import labelled_rows
from teachers.config import LabellingConfig


def label(config: LabellingConfig, teacher: Path, records: Path, threads: int, folder: Path) -> None:
    """Step body: `folder` becomes a soft-label store for all train and pool rows; finished shards are kept.

    Args: teacher: a model folder of any family.
    """
    rows = labelled_rows(records)
    shards = [(index, rows[start:stop]) for index, start, stop in shard_ranges(len(rows), config.shard_rows)]
    missing = [(index, part) for index, part in shards if not shard_is_done(folder, index, _ids(part))]
    if not missing:
        return
    finished = len(rows) - sum(len(part) for _, part in missing)
    how = Opening(threads, device.resolve(config.precision), device.device(), config.batch_tokens)
    scorer = family_of(teacher).open(teacher, how)
    with progress("labelling", len(rows), finished) as advance:
        fields = ([record.fields for _, record in part] for _, part in missing)
        scored = scorer.score_chunks(fields, lambda done: advance(finished + done))
        for (index, part), scores in zip(missing, scored, strict=True):
            write_shard(folder, index, _soft_labels(part, scores), half=config.half)


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
