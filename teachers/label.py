"""A teacher's logits for training and pool rows, shard by shard: what is missing, and who labels which."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from distill.core.processes import rank, world
from distill.core.progress import progress
from distill.core.soft_labels import shard_path
from distill.families.family import Opening, open_model
from distill.training import device
from teachers.config import LabellingConfig
from teachers.cross_fit import CrossFit, Scale
from teachers.label_origins import Origins
from teachers.label_shard import Writing, label_shards
from teachers.shards import Part, parts
from teachers.unfinished import missing_shards, require_planned

_POLL_S = 0.2


def label(
    config: LabellingConfig, teacher: Path, records: Path, threads: int, folder: Path, cross: CrossFit | None = None
) -> None:
    """Step body: `folder` becomes a soft-label store for all train and pool rows; finished shards are kept.

    Several processes of torchrun share the shards; the first one waits for the others'.

    Args: teacher: a model folder of any family. cross: fold models that label the training rows in its place, each
        those that are held out of its own fold, on the teacher's scale.
    Raises: UserError for a shard that is damaged, of another origin, or of none of these rows.
    """
    how = Opening(threads, device.resolve(config.precision), device.device(), config.batch_tokens)
    scale = Scale(teacher, cross, how) if cross else None
    planned = list(parts(teacher, records, config.shard_rows, cross))
    require_planned(folder, planned)
    for part in planned:
        _label_part(part, Writing(Origins.of(part, teacher, how.precision), config.half), how, scale, folder)


def _label_part(part: Part, writing: Writing, how: Opening, scale: Scale | None, folder: Path) -> None:
    """Label what is missing of a part; its model is opened only if something is."""
    missing = missing_shards(part, writing.origins, folder).shards
    if not missing:
        return
    total = sum(map(len, part.shards))
    finished, own = total - sum(map(len, missing)), [one for one in missing if one.index % world() == rank()]
    if scale and part.fold:
        writing = replace(writing, origins=replace(writing.origins, factor=scale.of(part.fold)))
    scorer = open_model(part.model, how)
    with progress(f"labelling by {part.model.name}" if scale else "labelling", total, finished) as advance:

        def told(done: int) -> None:
            """The other processes are as far as this one, more or less."""
            advance(min(total, finished + world() * done))

        for _ in label_shards(scorer, own, folder, writing, told):
            pass
        while rank() == 0 and not all(shard_path(folder, shard.index).exists() for shard in missing):
            time.sleep(_POLL_S)
