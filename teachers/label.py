"""A teacher's logits for training and pool rows, shard by shard."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np

from distill.core.processes import rank, world
from distill.core.progress import progress
from distill.core.record_store import count_records, records_between
from distill.core.records import Record
from distill.core.soft_labels import SoftLabels, shard_is_done, shard_path, shard_ranges, statuses, write_shard
from distill.families.family import Opening, family_of
from distill.inference.scorer import Scores
from distill.training import device
from distill.training.learnt_rows import labelled_splits
from teachers.config import LabellingConfig

_POLL_S = 0.2


def label(config: LabellingConfig, teacher: Path, records: Path, threads: int, folder: Path) -> None:
    """Step body: `folder` becomes a soft-label store for all train and pool rows; finished shards are kept.

    Several processes of torchrun share the shards; the first one waits for the others'.

    Args: teacher: a model folder of any family.
    """
    shards = list(_shards(records, config.shard_rows))
    missing = [shard for shard in shards if not _is_done(shard, records, folder)]
    if not missing:
        return
    total = sum(map(len, shards))
    finished, own = total - sum(map(len, missing)), [one for one in missing if one.index % world() == rank()]
    how = Opening(threads, device.resolve(config.precision), device.device(), config.batch_tokens)
    scorer = family_of(teacher).open(teacher, how)
    with progress("labelling", total, finished) as advance:
        fields = ([record.fields for _, record in shard.rows(records)] for shard in own)
        # The other processes are as far as this one, more or less.
        scored = scorer.score_chunks(fields, lambda done: advance(min(total, finished + world() * done)))
        for shard, scores in zip(own, scored, strict=True):
            write_shard(folder, shard.index, _soft_labels(shard.rows(records), scores), half=config.half)
        while rank() == 0 and not all(shard_path(folder, shard.index).exists() for shard in missing):
            time.sleep(_POLL_S)


def _is_done(shard: _Shard, records: Path, folder: Path) -> bool:
    there = shard_path(folder, shard.index).exists()
    return there and shard_is_done(folder, shard.index, _ids(shard.rows(records)))


@dataclass(frozen=True)
class _Shard:
    """A run of the labelled rows. Attributes: parts: (split, start, stop) of the rows in each record file."""

    index: int
    parts: Sequence[tuple[str, int, int]]

    def __len__(self) -> int:
        return sum(stop - start for _, start, stop in self.parts)

    def rows(self, records: Path) -> list[tuple[str, Record]]:
        """(split, record) of each row, read when asked for: a pool is never all in memory."""
        return [(split, row) for split, *span in self.parts for row in records_between(records, split, *span)]


def _shards(records: Path, shard_rows: int) -> Iterator[_Shard]:
    """All labelled rows, cut into shards."""
    names = labelled_splits(records)
    starts = [0, *accumulate(count_records(records, name) for name in names)]
    for index, start, stop in shard_ranges(starts[-1], shard_rows):
        spans = (
            (name, max(start, first) - first, min(stop, end) - first)
            for name, (first, end) in zip(names, pairwise(starts), strict=True)
        )
        yield _Shard(index, [(name, low, high) for name, low, high in spans if low < high])


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
