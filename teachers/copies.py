"""Shards of rows that read like rows of other shards: they have the answers of those, and no model is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from distill.core.label_counts import LabelCounts
from distill.core.label_origin import Origin, origin_of_file
from distill.core.record_rows import RecordRows
from distill.core.soft_labels import SoftLabels, read_shard, shard_path, write_shard
from teachers.label_shard import Writing
from teachers.shards import Copies

_MOST_ROWS, _MOST_LOGITS = 1 << 16, 1 << 24  # in memory at once


def copy_shards(copies: Sequence[Copies], folder: Path, how: Writing) -> Iterator[LabelCounts]:
    """Write these shards; yields what each came to. All others of their part are in the folder.

    Each shard that they are copied from is read once for thousands of rows.

    Raises: UserError for a shard that is damaged, and where none can be written.
    """
    if not copies:
        return
    width = read_shard(shard_path(folder, int(copies[0].numbers[0]))).logits.shape[1]
    most = min(_MOST_ROWS, _MOST_LOGITS // width)
    block: list[Copies] = []
    for one in copies:
        if block and sum(len(some.shard) for some in block) + len(one.shard) > most:
            yield from _written(block, folder, how)
            block = []
        block.append(one)
    yield from _written(block, folder, how)


def _written(block: Sequence[Copies], folder: Path, how: Writing) -> Iterator[LabelCounts]:
    likes, start = _likes(block, folder), 0
    for one in block:
        stop = start + len(one.shard)
        with RecordRows(one.shard.records) as records:
            ids = records.ids(one.shard.spans).to_pylist()
        labels = replace(likes.take(np.arange(start, stop)), ids=ids, sources=one.shard.sources)
        origin = _loosest(one, folder)
        origins = replace(how.origins, precision=origin.precision, factor=origin.factor)
        write_shard(folder, one.shard.index, labels, half=how.half, origin=origins.origin(one.shard))
        yield LabelCounts.of(labels, spared=len(labels))
        start = stop


def _likes(block: Sequence[Copies], folder: Path) -> SoftLabels:
    """The rows that those of the block are copied from, in the order of the block."""
    numbers, places = (np.concatenate([getattr(one, name) for one in block]) for name in ("numbers", "places"))
    found = [read_shard(shard_path(folder, int(one))).take(places[numbers == one]) for one in np.unique(numbers)]
    back = np.argsort(np.argsort(numbers, kind="stable"), kind="stable")
    return SoftLabels.concatenate(found).take(back)


def _loosest(copies: Copies, folder: Path) -> Origin:
    """What made the shards that it is copied from; of several the one of fewer bits, by which rows are checked."""
    found = [origin_of_file(shard_path(folder, int(number))) for number in np.unique(copies.numbers)]
    return min((one for one in found if one is not None), key=lambda one: one.precision)  # bf16 before fp32
