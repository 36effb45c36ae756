"""A teacher's logits for training and pool rows, shard by shard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from distill.core.progress import progress
from distill.core.records import Record
from distill.core.soft_labels import SoftLabels, shard_is_done, shard_ranges, statuses, write_shard
from distill.core.view import View
from distill.inference.score import score
from distill.inference.torch_runner import TorchRunner
from distill.training import precision
from distill.training.joining import labelled_rows
from teachers.config import LabellingConfig


def label(config: LabellingConfig, teacher: Path, records: Path, threads: int, folder: Path) -> None:
    """Step body: `folder` becomes a soft-label store for all train and pool rows; finished shards are kept."""
    rows = labelled_rows(records)
    renderer = View.load(teacher).renderer()
    runner = TorchRunner(teacher, threads=threads, precision=precision.resolve(config.precision))
    ranges = list(shard_ranges(len(rows), config.shard_rows))
    done = [index for index, start, stop in ranges if shard_is_done(folder, index, _ids(rows[start:stop]))]
    finished = sum(stop - start for index, start, stop in ranges if index in done)
    with progress("labelling", len(rows), finished) as advance:
        for index, start, stop in ranges:
            if index in done:
                continue
            part = rows[start:stop]
            scores = score(
                runner,
                renderer,
                [record.fields for _, record in part],
                batch_tokens=config.batch_tokens,
                on_progress=lambda scored, base=finished: advance(base + scored),
            )
            tokens = np.asarray(scores.tokens, np.int32)
            write_shard(
                folder,
                index,
                SoftLabels(
                    ids=_ids(part),
                    sources=[source for source, _ in part],
                    logits=scores.logits,
                    tokens=tokens,
                    cut_tokens=np.asarray(scores.cut_tokens, np.int32),
                    status=statuses(scores.logits, tokens),
                ),
                half=config.half,
            )
            finished += stop - start
            advance(finished)


def _ids(part: Sequence[tuple[str, Record]]) -> list[str]:
    return [record.id for _, record in part]
