"""Shards answered by several processes at once, or by this one."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from typing import TYPE_CHECKING

from distill.core.errors import DistillError, UserError
from distill.core.files import sha256
from export.batch.answering import Question, answer_rows
from export.batch.shards import Shard
from export.batch.store import Done, Store
from export.checked_bundle import open_unchecked

if TYPE_CHECKING:
    from export.runtime import Bundle

_END_S = 10.0
_AHEAD = 2  # shards beyond those that are being answered


@dataclass(frozen=True)
class Work:
    """What every process is given.

    Attributes: bundle: folder that was checked. seal: hash of its manifest then. provider: as it was asked for.
        threads: of each process.
    """

    bundle: Path
    seal: str
    precision: str
    provider: str
    threads: int | None
    question: Question
    store: Store


def seal_of(bundle: Path) -> str:
    """Hash of a bundle's manifest, which has the hash of every other file."""
    return sha256(bundle / "manifest.json")


def answered_here(work: Work, model: Bundle, shards: Iterable[Shard]) -> Iterator[Done]:
    """Shards answered by this process. Raises: as `Store.write`."""
    for shard in shards:
        yield _answered(work, model, shard)


def answered_by(workers: int, work: Work, shards: Iterable[Shard]) -> Iterator[Done]:
    """Shards answered by processes of their own, in the order in which they are done.

    A few shards are read ahead; the rest of the input waits on disk. The processes end with this one, however it ends.

    Raises: as `Store.write`; UserError when one of the processes was killed.
    """
    with _pool(workers, work) as pool:
        running: set[Future[Done]] = set()
        for shard in shards:
            running.add(pool.submit(_answered_there, shard))
            if len(running) >= workers + _AHEAD:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (one.result() for one in done)
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (one.result() for one in done)


@contextmanager
def _pool(workers: int, work: Work) -> Iterator[ProcessPoolExecutor]:
    before = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _begin, (work,))
    try:
        yield pool
        pool.shutdown()
    except BaseException as error:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in (own := set(multiprocessing.active_children()) - before):
            process.kill()
        for process in own:
            process.join(_END_S)
        if not isinstance(error, BrokenProcessPool):
            raise
        do = "give the same command again: finished shards are kept; where memory is short with fewer --workers"
        raise UserError("a process that answers was killed", where=str(work.bundle), do=do) from None


_here: tuple[Work, Bundle] | DistillError | None = None


def _begin(work: Work) -> None:
    """Make a process ready to answer."""
    global _here
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to all; the parent ends the others
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    try:
        model = open_unchecked(work.bundle, work.precision, work.threads, work.provider)
        if seal_of(work.bundle) != work.seal:
            do = "give the same command again: it takes no answer of the other bundle"
            raise UserError("the bundle was changed while it answers", where=str(work.bundle), do=do)
        _here = work, model
    except DistillError as error:  # told at the first shard: what is raised here ends all processes without a word
        _here = error


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait_for([parent.sentinel])
    os._exit(1)


def _answered_there(shard: Shard) -> Done:
    assert _here is not None
    if isinstance(_here, DistillError):
        raise _here
    return _answered(*_here, shard)


def _answered(work: Work, model: Bundle, shard: Shard) -> Done:
    return work.store.write(shard.index, len(shard.rows), answer_rows(model, shard.rows, work.question))
