"""Workers of a Ray cluster: of this machine, or of the one at RAY_ADDRESS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from distill.core.errors import UserError
from distill.core.files import write_bytes
from distill.core.processes import world
from distill.core.progress import note, read
from distill.families.family import is_remote
from teachers.engines.cluster import cluster, ray_module
from teachers.engines.crew import Asked, Crew
from teachers.engines.engine import Engine, Labelled, Task
from teachers.engines.inputs import upload
from teachers.engines.kept import KeptShards
from teachers.engines.local import Local
from teachers.engines.worker import Finished, Order


class Ray(Engine):
    """Each worker opens the model once. Files come back to this process, which alone writes into the run folder; with
    `labelling.store` they go to the storage, and this process copies them from there.
    """

    name = "ray"

    def require(self) -> None:
        """As of all."""
        if world() > 1:
            do = "give the command without torchrun: Ray starts the processes"
            raise UserError("torchrun and Ray both share out shards", where="labelling.engine", found="ray", do=do)
        if (self.asked.store or "").startswith("memory://"):
            do = "take a place that other processes reach, such as s3://bucket/prefix or file:///folder"
            found = self.asked.store
            raise UserError("only this process sees this storage", where="labelling.store", found=found, do=do)
        ray_module()

    def label(self, task: Task, folder: Path, told: Callable[[int], None]) -> Iterator[Labelled]:
        """As of all."""
        if is_remote(task.model):
            note("asked from this process: the model is behind a server, and workers would not be faster")
            yield from Local(self.asked).label(task, folder, told)
            return
        done = 0
        with cluster(self.asked, task.how.threads or 1) as (ray, asked):
            shards = [replace(one, records=one.records.absolute()) for one in task.shards]
            for found in Crew(ray, _order(task, asked), asked).label(shards, task.writing.origins.origin):
                _write(found, folder, task.kept)
                done += found.counts.rows
                read(tokens=found.counts.tokens)
                told(done)
                yield Labelled(found.counts)


def _order(task: Task, asked: Asked) -> Order:
    kept = task.kept
    inputs = upload(kept.place, task.model, task.shards, task.number) if kept else None
    url = kept.place.url if kept else None
    return Order(task.model.absolute(), task.how, task.writing, inputs, url, on_gpu=asked.gpus > 0)


def _write(found: Finished, folder: Path, kept: KeptShards | None) -> None:
    """Make a shard's files ones of the folder, the one that counts last."""
    for name, expected in found.hashes.items():
        if kept is not None:
            kept.take(name, folder, expected)
        else:
            write_bytes(folder / name, found.files[name])
