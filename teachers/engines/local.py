"""This process, or those that torchrun started."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from distill.core.label_counts import LabelCounts
from distill.core.processes import rank, world
from distill.core.soft_labels import read_shard, shard_path
from distill.families.family import open_model
from teachers.engines.engine import Engine, Labelled, Task
from teachers.label_shard import label_shards

_POLL_S = 0.2


class Local(Engine):
    """Processes of torchrun share the shards; the first one waits for the others'."""

    name = "local"

    def label(self, task: Task, folder: Path, told: Callable[[int], None]) -> Iterator[Labelled]:
        """As of all."""
        own = [one for one in task.shards if one.index % world() == rank()]
        scorer = open_model(task.model, task.how)
        processes = world()  # which are as far as this one, more or less
        labelled = label_shards(scorer, own, folder, task.writing, lambda done: told(processes * done))
        for shard, counts in zip(own, labelled, strict=True):
            if task.kept is not None:
                task.kept.give(folder, shard.index)
            yield Labelled(counts)
        for path in (shard_path(folder, one.index) for one in task.shards if one not in own and rank() == 0):
            while not path.exists():
                time.sleep(_POLL_S)
            yield Labelled(LabelCounts.of(read_shard(path)), own=False)
