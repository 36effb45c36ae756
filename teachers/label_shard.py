"""One shard labelled: what whoever works on a store runs, in this process, another one or on another machine."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from distill.core.record_rows import RecordRows
from distill.core.soft_labels import FAILED, NONFINITE, SoftLabels, statuses, write_shard
from distill.core.staged import write_staged
from distill.inference.scorer import Progress, Row, Scorer, Scores
from teachers.shards import Shard


@dataclass(frozen=True)
class Writing:
    """How shards are written.

    Attributes: half: logits as float16. factor: what they are multiplied by before; None: nothing.
    """

    half: bool = False
    factor: float | None = None


def label_shard(scorer: Scorer, shard: Shard, folder: Path, how: Writing) -> SoftLabels:
    """Read a shard's rows, score them and write its one file; returns what is in it.

    It depends on the rows of the shard alone and writes a file atomically under a name of its own, so that any number
    of processes and machines may do it, also for the same shard at once: the last one's file is equal to the others'.

    Raises: UserError where the rows cannot be read or the shard not be written.
    """
    (labels,) = label_shards(scorer, [shard], folder, how)
    return labels


def label_shards(
    scorer: Scorer, shards: Iterable[Shard], folder: Path, how: Writing, on_progress: Progress | None = None
) -> Iterator[SoftLabels]:
    """As `label_shard` of each shard in turn; rows of the next ones are read and prepared meanwhile.

    Args: on_progress: told the number of rows scored so far.
    """
    bad = FAILED if scorer.may_fail else NONFINITE
    waiting: deque[tuple[Shard, pa.Array]] = deque()
    for scores in scorer.score_chunks(_texts(shards, waiting), on_progress):
        shard, ids = waiting.popleft()
        found = scores if how.factor is None else replace(scores, logits=scores.logits * np.float32(how.factor))
        labels = _soft_labels(shard, ids.to_pylist(), found, bad)
        if found.staged:
            write_staged(folder, shard.index, labels.ids, found.staged)
        write_shard(folder, shard.index, labels, half=how.half)
        yield labels


def _texts(shards: Iterable[Shard], waiting: deque[tuple[Shard, pa.Array]]) -> Iterator[Sequence[Row]]:
    """The texts of each shard in turn. Args: waiting: each shard with its ids is added here."""
    with ExitStack() as stack:
        readers: dict[Path, RecordRows] = {}
        for shard in shards:
            if shard.records not in readers:
                readers[shard.records] = stack.enter_context(RecordRows(shard.records))
            ids, texts = readers[shard.records].texts(shard.spans)
            waiting.append((shard, ids))
            yield texts


def _soft_labels(shard: Shard, ids: list[str], scores: Scores, bad: str) -> SoftLabels:
    tokens = np.asarray(scores.tokens, np.int32)
    return SoftLabels(
        ids=ids,
        sources=shard.sources,
        logits=scores.logits,
        tokens=tokens,
        cut_tokens=np.asarray(scores.cut_tokens, np.int32),
        status=statuses(scores.logits, tokens, scores.staged.stage if scores.staged else None, bad),
    )
