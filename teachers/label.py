"""A teacher's logits for training and pool rows, shard by shard: what is missing, and who labels which."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

from distill.core.processes import rank, world
from distill.core.progress import progress
from distill.core.record_rows import RecordRows
from distill.core.soft_labels import shard_is_done, shard_path
from distill.families.family import Opening, open_model
from distill.training import device
from teachers.config import LabellingConfig
from teachers.cross_fit import CrossFit, Scale
from teachers.label_shard import Writing, label_shards
from teachers.shards import Part, Shard, parts

_POLL_S = 0.2


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
    for part in parts(teacher, records, config.shard_rows, cross):
        _label_part(part, config, how, scale, folder)


def _label_part(part: Part, config: LabellingConfig, how: Opening, scale: Scale | None, folder: Path) -> None:
    """Label what is missing of a part; its model is opened only if something is."""
    missing = missing_shards(part, folder)
    if not missing:
        return
    total = sum(map(len, part.shards))
    finished, own = total - sum(map(len, missing)), [one for one in missing if one.index % world() == rank()]
    writing = Writing(config.half, scale.of(part.fold) if scale and part.fold else None)
    scorer = open_model(part.model, how)
    with progress(f"labelling by {part.model.name}" if scale else "labelling", total, finished) as advance:

        def told(done: int) -> None:
            """The other processes are as far as this one, more or less."""
            advance(min(total, finished + world() * done))

        for _ in label_shards(scorer, own, folder, writing, told):
            pass
        while rank() == 0 and not all(shard_path(folder, shard.index).exists() for shard in missing):
            time.sleep(_POLL_S)


def missing_shards(part: Part, folder: Path) -> list[Shard]:
    """The shards of a part that are still to be labelled. Raises: UserError as `shard_is_done`."""
    written = [one for one in part.shards if shard_path(folder, one.index).exists()]
    with ExitStack() as stack:
        rows = {place: stack.enter_context(RecordRows(place)) for place in {one.records for one in written}}
        done = {
            one.index
            for one in written
            if shard_is_done(folder, one.index, rows[one.records].ids(one.spans).to_pylist())
        }
    return [one for one in part.shards if one.index not in done]
