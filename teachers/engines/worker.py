"""A worker of a cluster: opens a model once, then labels the shards that it is given."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from distill.core.errors import UserError
from distill.core.files import sha256
from distill.core.label_counts import LabelCounts
from distill.core.label_origin import Origin
from distill.core.leftovers import temporary_folder
from distill.core.storage import storage
from distill.families.family import Opening, open_model
from distill.inference.backends.backend import backend
from distill.inference.scorer import Scorer
from teachers.engines.inputs import Inputs, RemoteRecords, download_model
from teachers.label_origins import Origins
from teachers.label_shard import Writing, label_shard
from teachers.shards import Shard


@dataclass(frozen=True)
class Order:
    """What a worker does with every shard.

    Attributes: model: its folder. how: it is opened, but for the device. inputs: where model and records are in
        storage; None: in the folders of the one who orders, which the worker sees too. kept: the URL where finished
        shards are put; None: their files are sent back. on_gpu: whether the worker has a share of a GPU; without one it
        keeps to the processor, for it may see those of others.
    """

    model: Path
    how: Opening
    writing: Writing
    inputs: Inputs | None = None
    kept: str | None = None
    on_gpu: bool = False


@dataclass(frozen=True)
class Finished:
    """A shard.

    Attributes: place: machine and process that labelled it. hashes: SHA-256 of its files by name, its own last. files:
        their bytes; {}: in storage.
    """

    place: str
    counts: LabelCounts
    hashes: Mapping[str, str]
    files: Mapping[str, bytes]


@dataclass(frozen=True)
class _Known(Origins):
    """Those of one shard, whose rows are in files of other names and numbers here. Attributes: known: its origin."""

    known: Origin | None = None

    def origin(self, shard: Shard) -> Origin:
        """That of the shard."""
        assert self.known is not None
        return self.known


class ShardWorker:
    """Labels shards in the process that it is made in."""

    def __init__(self, order: Order) -> None:
        self._order, self._stack = order, ExitStack()
        self._place = f"{socket.gethostname()}, process {os.getpid()}"
        self._scorer: Scorer | None = None
        self._remote = RemoteRecords(storage(order.inputs.url)) if order.inputs else None
        self._folder = self._stack.enter_context(temporary_folder())

    def open(self) -> None:
        """Open the model. Raises: UserError where this machine does not see it."""
        from distill.training import device

        order, model = self._order, self._order.model
        if order.inputs is not None:
            model = download_model(storage(order.inputs.url), order.inputs, self._folder / "model")
        elif not model.exists():
            do = "give all workers a place that they reach, labelling.store, or put the run folder on a disk they share"
            raise UserError("a worker does not see the model", where=self._place, found=f"no {model}", do=do)
        place = backend(order.how.backend).device(device.device() if order.on_gpu else "cpu")
        self._scorer = open_model(model, replace(order.how, device=place))

    def label(self, shard: Shard, origin: Origin) -> Finished:
        """Label a shard. Raises: UserError as `label_shard`, and where its files cannot be put."""
        assert self._scorer is not None
        with tempfile.TemporaryDirectory(dir=self._folder) as place:
            records, made = Path(place, "records"), Path(place, "made")
            records.mkdir()
            made.mkdir()
            here = self._remote.local(shard, records) if self._remote else shard
            origins = _Known(**vars(self._order.writing.origins), known=origin)
            counts = label_shard(self._scorer, here, made, replace(self._order.writing, origins=origins))
            return self._given(counts, made)

    def close(self) -> None:
        """Remove its files; they are gone with the process too."""
        self._stack.close()

    def _given(self, counts: LabelCounts, made: Path) -> Finished:
        # `shard-…` comes after the files beside it, and makes the shard count as done.
        paths = sorted(made.iterdir(), key=lambda path: (path.name.startswith("shard-"), path.name))
        hashes = {path.name: sha256(path) for path in paths}
        if self._order.kept is None:
            return Finished(self._place, counts, hashes, {path.name: path.read_bytes() for path in paths})
        for path in paths:
            storage(self._order.kept).put(path, path.name)
        return Finished(self._place, counts, hashes, {})
