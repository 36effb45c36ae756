"""A teacher's logits for training and pool rows, shard by shard: what is missing, and who labels it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from distill.core.files import sha256_json
from distill.core.label_counts import LabelCounts
from distill.core.labelling import Labelling
from distill.core.processes import rank
from distill.core.progress import note, progress
from distill.core.soft_labels import FAILED
from distill.core.storage import storage
from distill.families.family import Opening, open_model
from distill.inference.failed_rows import require_few
from teachers.config import LabellingConfig
from teachers.copies import copy_shards
from teachers.cross_fit import CrossFit, Scale
from teachers.engines.engine import Engine, Task, engine
from teachers.engines.kept import KeptShards
from teachers.label_card import Facts, LabelCard, counted
from teachers.label_origins import Origins
from teachers.label_shard import Writing
from teachers.opening import arithmetic, opening, settled
from teachers.shards import Part, parts
from teachers.unfinished import Missing, missing_shards, require_planned


@dataclass(frozen=True)
class LabelOptions:
    """Attributes: cross: fold models that label the training rows in the teacher's place, each those that are held out
    of its own fold, on the teacher's scale. price: of an hour of the machines, for the card. labelling: which machines,
    and where the shards are kept.
    """

    cross: CrossFit | None = None
    price: float | None = None
    labelling: Labelling = Labelling()


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

    Args: teacher: a model folder of any family. threads: of each process.
    Raises: UserError for a shard that is damaged, of another origin, or of none of these rows. GateFailed where more
        rows of the store are without an answer than the teacher's may be.
    """
    how = opening(config, threads)
    own, scale = engine(options.labelling), Scale(teacher, options.cross, how) if options.cross else None
    planned = list(parts(teacher, records, config.shard_rows, options.cross))
    writings = [Writing(Origins.of(part, teacher, arithmetic(how)), config.half) for part in planned]
    kept = _kept(options.labelling.store, folder, planned, writings)
    if kept and rank() == 0:
        kept.bring(folder)
    require_planned(folder, planned)
    works = [
        _Work(part, missing_shards(part, writing.origins, folder), writing, scale)
        for part, writing in zip(planned, writings, strict=True)
    ]
    card = None
    if rank() == 0:
        done = sum((work.missing.done for work in works), LabelCounts())
        card = LabelCard(folder, _facts(works, teacher, config, options.price), done)
    for number, work in enumerate(works):
        if work.missing.shards:
            way = settled(work.part, how, config.precision_limit)
            task = Task(number, work.part.model, work.missing.shards, way, _written(work, arithmetic(way)), kept)
            _label_part(work, own, task, card, folder)
        if card:
            for counts in copy_shards(work.missing.copies, folder, work.writing):
                card.add(counts)
    if kept and rank() == 0:
        kept.close(folder)
    if card:
        card.close()
        for line in counted(card.counts):
            note(line)
        _require_answers(card.counts, teacher, how, folder)


def _require_answers(counts: LabelCounts, teacher: Path, how: Opening, folder: Path) -> None:
    """Check that few rows of a whole store are without an answer. Raises: GateFailed."""
    if failed := counts.statuses.get(FAILED, 0):
        most = open_model(teacher, how).most_failed or 0.0
        again = f"delete {folder} and give the same command again, which asks again what the server failed alone"
        require_few(failed, counts.rows, most, str(folder), again)


def _kept(url: str | None, folder: Path, planned: Sequence[Part], writings: Sequence[Writing]) -> KeptShards | None:
    """The shards of this store in storage, below a name of all that they depend on, so that no others are taken for
    them.
    """
    if url is None:
        return None
    content = [
        [asdict(writing), asdict(writing.origins.origin(shard))]
        for part, writing in zip(planned, writings, strict=True)
        for shard in part.planned
    ]
    name = folder.name.removesuffix(".partial")
    return KeptShards(storage(url) / "labels" / f"{name}-{sha256_json(content)[:12]}")


def _written(work: _Work, precision: str) -> Writing:
    """How a part is written: calculated in this, with the factor of its model."""
    origins = replace(work.writing.origins, precision=precision)
    if work.scale is not None and work.part.fold is not None:
        origins = replace(origins, factor=work.scale.of(work.part.fold))
    return replace(work.writing, origins=origins)


def _facts(works: Sequence[_Work], teacher: Path, config: LabellingConfig, price: float | None) -> Facts:
    shards = [shard for work in works for shard in work.part.planned]
    rows: Counter[str] = Counter()
    for shard in shards:
        for file, start, stop in shard.spans:
            rows[shard.source or file] += stop - start
    return Facts(teacher, works[-1].writing.origins, config, dict(rows), len(shards), price)


def _label_part(work: _Work, own: Engine, task: Task, card: LabelCard | None, folder: Path) -> None:
    """Label what is missing of a part, with its model."""
    total, before = sum(map(len, work.part.shards)), card.counts.rows if card else 0
    finished = total - sum(map(len, task.shards))
    if card:
        card.calculated_in(task.writing.origins.precision)
    with progress(f"labelling by {task.model.name}" if work.scale else "labelling", total, finished) as advance:

        def told(done: int) -> None:
            advance(min(total, finished + done))
            if card:
                card.advance(before + min(total - finished, done))

        for shard in own.label(task, folder, told):
            if card:
                card.add(shard.counts, own=shard.own)
