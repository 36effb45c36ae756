"""A teacher's logits for training and pool rows, shard by shard: what is missing, and who labels which."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from distill.core.label_counts import LabelCounts
from distill.core.processes import rank, world
from distill.core.progress import note, progress
from distill.core.soft_labels import read_shard, shard_path
from distill.families.family import Opening, open_model
from distill.training import device
from teachers.config import LabellingConfig
from teachers.cross_fit import CrossFit, Scale
from teachers.label_card import Facts, LabelCard, counted
from teachers.label_origins import Origins
from teachers.label_shard import Writing, label_shards
from teachers.shards import Part, Shard, parts
from teachers.unfinished import Missing, missing_shards, require_planned

_POLL_S = 0.2


@dataclass(frozen=True)
class LabelOptions:
    """Attributes: cross: fold models that label the training rows in the teacher's place, each those that are held out
    of its own fold, on the teacher's scale. price: of an hour of this machine, for the card.
    """

    cross: CrossFit | None = None
    price: float | None = None


PLAIN = LabelOptions()


@dataclass(frozen=True)
class _Work:
    """What is left of a part. Attributes: scale: of fold models; None where there are none."""

    part: Part
    missing: Missing
    writing: Writing
    scale: Scale | None


def label(
    config: LabellingConfig, teacher: Path, records: Path, threads: int, folder: Path, options: LabelOptions = PLAIN
) -> None:
    """Step body: `folder` becomes a soft-label store for all train and pool rows; finished shards are kept.

    Several processes of torchrun share the shards; the first one waits for the others', and keeps the store's card.

    Args: teacher: a model folder of any family.
    Raises: UserError for a shard that is damaged, of another origin, or of none of these rows.
    """
    how = Opening(threads, device.resolve(config.precision), device.device(), config.batch_tokens)
    scale = Scale(teacher, options.cross, how) if options.cross else None
    planned = list(parts(teacher, records, config.shard_rows, options.cross))
    require_planned(folder, planned)
    works = [_work(part, Origins.of(part, teacher, how.precision), config, scale, folder) for part in planned]
    card = None
    if rank() == 0:
        done = sum((work.missing.done for work in works), LabelCounts())
        card = LabelCard(folder, _facts(works, teacher, config, options.price), done)
    for work in works:
        if work.missing.shards:
            _label_part(work, how, card, folder)
    if card:
        card.close()
        for line in counted(card.counts):
            note(line)


def _work(part: Part, origins: Origins, config: LabellingConfig, scale: Scale | None, folder: Path) -> _Work:
    return _Work(part, missing_shards(part, origins, folder), Writing(origins, config.half), scale)


def _facts(works: Sequence[_Work], teacher: Path, config: LabellingConfig, price: float | None) -> Facts:
    shards = [shard for work in works for shard in work.part.shards]
    rows: Counter[str] = Counter()
    for shard in shards:
        for file, start, stop in shard.spans:
            rows[shard.source or file] += stop - start
    return Facts(teacher, works[-1].writing.origins, config, dict(rows), len(shards), price)


def _label_part(work: _Work, how: Opening, card: LabelCard | None, folder: Path) -> None:
    """Label what is missing of a part, with its model."""
    part, missing, writing = work.part, work.missing.shards, work.writing
    total, before = sum(map(len, part.shards)), card.counts.rows if card else 0
    finished, own = total - sum(map(len, missing)), [one for one in missing if one.index % world() == rank()]
    if work.scale and part.fold:
        writing = replace(writing, origins=replace(writing.origins, factor=work.scale.of(part.fold)))
    scorer, processes = open_model(part.model, how), world()
    with progress(f"labelling by {part.model.name}" if work.scale else "labelling", total, finished) as advance:

        def told(done: int) -> None:
            """The other processes are as far as this one, more or less."""
            advance(min(total, finished + processes * done))
            if card:
                card.advance(before + min(total - finished, processes * done))

        for counts in label_shards(scorer, own, folder, writing, told):
            if card:
                card.add(counts)
        if card:
            _await([one for one in missing if one not in own], card, folder)


def _await(others: Sequence[Shard], card: LabelCard, folder: Path) -> None:
    """Wait for the shards that other processes label."""
    for shard in others:
        while not shard_path(folder, shard.index).exists():
            time.sleep(_POLL_S)
        card.add(LabelCounts.of(read_shard(shard_path(folder, shard.index))), own=False)
