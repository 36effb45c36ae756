"""Rows encoded once for each view and tokenizer, shared by all fits that read them.

`<cache>/<view>-<hash>/<split>-<hash>/rows-*.arrow`: the first hash is of the view and its tokenizer, the second of the
split's records, so what is found under a name is what would be made. It can be deleted at any time; no result depends
on it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from distill.core import manifest
from distill.core.files import sha256, sha256_json
from distill.core.leftovers import remove_half_written
from distill.core.manifest import MANIFEST
from distill.core.processes import rank
from distill.core.progress import progress
from distill.core.project import ViewConfig
from distill.core.record_store import count_records, records_between
from distill.core.view import View
from distill.training.encoded_rows import EncodedPart, EncodedRows, encoded_batch, map_encoded, write_encoded

_VERSION = 1  # of what is stored
_SHARD_ROWS = 8192
_POLL_S = 0.2
_WORTH_PROCESSES = 4  # shards: under 30,000 rows, starting processes takes longer than they save


@dataclass(frozen=True)
class EncodedStore:
    """Where rows are encoded to. Attributes: cache: folder of all encodings. records: the records artifact."""

    cache: Path
    records: Path
    view: View
    processes: int = 1

    def rows(self, splits: Sequence[str]) -> EncodedRows:
        """The rows of these splits, end to end; encoded first where they are not yet.

        Raises: UserError when what was encoded earlier is damaged.
        """
        return EncodedRows([part for split in splits for part in self._parts(split)])

    def _parts(self, split: str) -> list[EncodedPart]:
        folder = self.folder(split)
        while rank() and not (folder / MANIFEST).exists():
            time.sleep(_POLL_S)  # the first of several processes makes it
        if not (folder / MANIFEST).exists():
            self._make(split, folder)
        manifest.require_whole(folder)
        return [map_encoded(path) for path in sorted(folder.glob("rows-*.arrow"))]

    def folder(self, split: str) -> Path:
        """The folder of a split's encoded rows."""
        pad = self.view.renderer().pad_id
        made_by = [_VERSION, self.view.hash, pad, version("tokenizers")]
        own = f"{self.view.name}-{sha256_json(made_by)[:16]}"
        return self.cache / own / f"{split}-{sha256(self.records / f'{split}.parquet')[:16]}"

    def _make(self, split: str, folder: Path) -> None:
        rows = count_records(self.records, split)
        shards = [
            _Shard(folder / f"rows-{index:05d}.arrow", self.records, split, start, min(start + _SHARD_ROWS, rows))
            for index, start in enumerate(range(0, max(1, rows), _SHARD_ROWS))
        ]
        missing = [shard for shard in shards if not shard.path.exists()]
        done = rows - sum(len(shard) for shard in missing)
        if len(missing) < _WORTH_PROCESSES:
            for shard in missing:
                _encode(shard, self.view)
        else:
            with progress(f"encoding {split} for the view {self.view.name}", rows, done) as advance:
                for shard in _encoded_by(self.processes, missing, self.view):
                    done += len(shard)
                    advance(done)
        remove_half_written(folder)
        content = {"view": self.view.hash, "rows": rows, "split": split}
        manifest.write_manifest(folder, content)


@dataclass(frozen=True)
class _Shard:
    """A run of a split's rows, and the file that it goes into."""

    path: Path
    records: Path
    split: str
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


def _encode(shard: _Shard, view: View) -> None:
    renderer = view.renderer()
    records = records_between(shard.records, shard.split, shard.start, shard.stop)
    encoded = renderer.encode_batch([record.fields for record in records])
    write_encoded(shard.path, encoded_batch(encoded))


def _encoded_by(processes: int, shards: Sequence[_Shard], view: View) -> Iterator[_Shard]:
    """Each shard after it is written, by several processes where there may be."""
    if processes < 2:
        for shard in shards:
            _encode(shard, view)
            yield shard
        return
    with _workers(min(processes, len(shards)), view) as pool:
        yield from pool.map(_work, shards)


@contextmanager
def _workers(processes: int, view: View) -> Iterator[ProcessPoolExecutor]:
    """Processes that encode, and end when this one does, however it ends."""
    spawn, given = multiprocessing.get_context("spawn"), (view.name, view.config, view.tokenizer_path)
    pool = ProcessPoolExecutor(processes, spawn, _prepare_worker, given)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


_view: View  # of a worker


def _prepare_worker(name: str, config: ViewConfig, tokenizer: Path) -> None:
    global _view
    _view = View(name, config, tokenizer)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process is told too, and ends its workers
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _work(shard: _Shard) -> _Shard:
    _encode(shard, _view)
    return shard
