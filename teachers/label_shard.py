"""One shard labelled: what whoever works on a store runs, in this process, another one or on another machine."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from distill.core.errors import UserError
from distill.core.label_counts import LabelCounts
from distill.core.record_rows import RecordRows
from distill.core.soft_labels import FAILED, NONFINITE, SoftLabels, shard_path, statuses, storable, write_shard
from distill.core.staged import write_staged
from distill.inference.once_each import OnceEach
from distill.inference.scorer import Progress, Row, Scorer, Scores
from teachers.label_origins import Origins
from teachers.shards import Shard

_MANY = 8  # rows of a shard that are hardly all bad by chance; a last shard may have one


@dataclass(frozen=True)
class Writing:
    """How shards are written. Attributes: origins: what their files say of it. half: logits as float16."""

    origins: Origins
    half: bool = False


def label_shard(scorer: Scorer, shard: Shard, folder: Path, how: Writing) -> LabelCounts:
    """Read a shard's rows, score them and write its one file; returns what it came to.

    It depends on the rows of the shard alone and writes a file atomically under a name of its own, so that any number
    of processes and machines may do it, also for the same shard at once: the last one's file is equal to the others'.

    Raises: UserError where the rows cannot be read or the shard not be written, and where no row has finite logits.
    """
    (counts,) = label_shards(scorer, [shard], folder, how)
    return counts


def label_shards(
    scorer: Scorer, shards: Iterable[Shard], folder: Path, how: Writing, on_progress: Progress | None = None
) -> Iterator[LabelCounts]:
    """As `label_shard` of each shard in turn; rows of the next ones are read and prepared meanwhile.

    Args: on_progress: told the number of rows scored so far.
    """
    bad = NONFINITE if scorer.most_failed is None else FAILED
    waiting: deque[tuple[Shard, pa.Array]] = deque()
    once, spared = OnceEach(scorer), 0
    for scores in once.score_chunks(_texts(shards, waiting), on_progress):
        shard, ids = waiting.popleft()
        factor = how.origins.factor
        found = scores if factor is None else replace(scores, logits=scores.logits * np.float32(factor))
        labels = storable(_soft_labels(shard, ids.to_pylist(), found, bad), how.half)
        _require_finite(labels, shard_path(folder, shard.index))
        if found.staged:
            write_staged(folder, shard.index, labels.ids, found.staged)
        write_shard(folder, shard.index, labels, half=how.half, origin=how.origins.origin(shard))
        yield LabelCounts.of(labels, once.spared - spared)
        spared = once.spared


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


def _require_finite(labels: SoftLabels, path: Path) -> None:
    """Refuse a shard without one finite row: that is the model, or how it calculates, and not the rows.

    Raises: UserError with the counts.
    """
    count = labels.status.count(NONFINITE)
    if count == len(labels) and count >= _MANY:
        raise UserError(
            "no row of a shard has finite logits",
            where=str(path),
            found=f"{count} of {count} rows, first: {labels.ids[0]} with {labels.logits[0].tolist()}",
            do="check the teacher's weights, or label in fp32 (labelling.precision); finished shards are kept",
        )
