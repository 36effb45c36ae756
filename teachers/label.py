"""A teacher's logits for training and pool rows, shard by shard."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np

from distill.core.processes import rank, world
from distill.core.progress import progress
from distill.core.record_store import count_records, records_between
from distill.core.records import Record
from distill.core.soft_labels import (
    FAILED,
    NONFINITE,
    SoftLabels,
    shard_is_done,
    shard_path,
    shard_ranges,
    statuses,
    write_shard,
)
from distill.core.staged import write_staged
from distill.families.family import Opening, open_model
from distill.inference.scorer import Scores
from distill.training import device
from distill.training.learnt_rows import labelled_splits
from teachers.config import LabellingConfig
from teachers.cross_fit import HELD_OUT, CrossFit, Fold, Scale

_POLL_S = 0.2


@dataclass(frozen=True)
class _Shard:
    """A run of rows that one model labels.

    Attributes: records: their folder. spans: (file, start, stop) of them in each. source: of all; None: the files.
    """

    index: int
    records: Path
    spans: Sequence[tuple[str, int, int]]
    source: str | None = None

    def __len__(self) -> int:
        return sum(stop - start for _, start, stop in self.spans)

    def rows(self) -> list[tuple[str, Record]]:
        """(split, record) of each row, read when asked for: a pool is never all in memory."""
        return [
            (self.source or file, row)
            for file, start, stop in self.spans
            for row in records_between(self.records, file, start, stop)
        ]


@dataclass(frozen=True)
class _Part:
    """The shards that one model labels. Attributes: fold: of which their rows are held out."""

    model: Path
    shards: list[_Shard]
    fold: Fold | None = None


def label(
    config: LabellingConfig, teacher: Path, records: Path, threads: int, folder: Path, cross: CrossFit | None = None
) -> None:
    """Step body: `folder` becomes a soft-label store for all train and pool rows; finished shards are kept.

    Several processes of torchrun share the shards; the first one waits for the others'.

    Args: teacher: a model folder of any family. cross: fold models that label the training rows in its place, each
        those that are held out of its own fold, on the teacher's scale.
    """
    how = Opening(threads, device.resolve(config.precision), device.device(), config.batch_tokens)
    scale = Scale(teacher, cross, how) if cross else None
    for part in _parts(teacher, records, config.shard_rows, cross):
        _label_part(part, config, how, scale, folder)


def _label_part(part: _Part, config: LabellingConfig, how: Opening, scale: Scale | None, folder: Path) -> None:
    """Label what is missing of a part; its model is opened only if something is."""
    missing = [shard for shard in part.shards if not _is_done(shard, folder)]
    if not missing:
        return
    total = sum(map(len, part.shards))
    finished, own = total - sum(map(len, missing)), [one for one in missing if one.index % world() == rank()]
    factor = np.float32(scale.of(part.fold)) if scale and part.fold else None
    scorer = open_model(part.model, how)
    bad = FAILED if scorer.may_fail else NONFINITE
    with progress(f"labelling by {part.model.name}" if scale else "labelling", total, finished) as advance:
        fields = ([record.fields for _, record in shard.rows()] for shard in own)
        # The other processes are as far as this one, more or less.
        scored = scorer.score_chunks(fields, lambda done: advance(min(total, finished + world() * done)))
        for shard, scores in zip(own, scored, strict=True):
            found = scores if factor is None else replace(scores, logits=scores.logits * factor)
            rows = shard.rows()
            if found.staged:
                write_staged(folder, shard.index, _ids(rows), found.staged)
            write_shard(folder, shard.index, _soft_labels(rows, found, bad), half=config.half)
        while rank() == 0 and not all(shard_path(folder, shard.index).exists() for shard in missing):
            time.sleep(_POLL_S)


def _is_done(shard: _Shard, folder: Path) -> bool:
    return shard_path(folder, shard.index).exists() and shard_is_done(folder, shard.index, _ids(shard.rows()))


def _parts(teacher: Path, records: Path, shard_rows: int, cross: CrossFit | None) -> Iterator[_Part]:
    """All rows to label, by the model that labels them."""
    first = 0
    for fold in cross.folds if cross else ():
        shards = list(_shards(fold.records, [HELD_OUT], shard_rows, first, "train"))
        yield _Part(fold.model, shards, fold)
        first += len(shards)
    names = [name for name in labelled_splits(records) if not (cross and name == "train")]
    yield _Part(teacher, list(_shards(records, names, shard_rows, first)))


def _shards(
    records: Path, files: Sequence[str], shard_rows: int, first: int, source: str | None = None
) -> Iterator[_Shard]:
    """The rows of some files, cut into shards from number `first` on."""
    starts = [0, *accumulate(count_records(records, name) for name in files)]
    for index, start, stop in shard_ranges(starts[-1], shard_rows):
        spans = (
            (name, max(start, begin) - begin, min(stop, end) - begin)
            for name, (begin, end) in zip(files, pairwise(starts), strict=True)
        )
        yield _Shard(first + index, records, [(name, low, high) for name, low, high in spans if low < high], source)


def _soft_labels(part: Sequence[tuple[str, Record]], scores: Scores, bad: str) -> SoftLabels:
    tokens = np.asarray(scores.tokens, np.int32)
    return SoftLabels(
        ids=_ids(part),
        sources=[source for source, _ in part],
        logits=scores.logits,
        tokens=tokens,
        cut_tokens=np.asarray(scores.cut_tokens, np.int32),
        status=statuses(scores.logits, tokens, scores.staged.stage if scores.staged else None, bad),
    )


def _ids(part: Sequence[tuple[str, Record]]) -> list[str]:
    return [record.id for _, record in part]
