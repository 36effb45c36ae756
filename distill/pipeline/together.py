"""Runs by several processes of torchrun: the first makes the run, the others help with the steps that they can share.

The first process tells the others of each shared step when it begins, over the store through which torchrun's
processes meet. They work on it in the same folder, then wait for the next. Where one process fails, torchrun ends all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from distill.core.errors import UserError
from distill.core.folders import begun_for
from distill.core.processes import rank, world
from distill.core.steps import Step, Steps, working_folder

Find = Callable[[Path, str], Step]
_END = ""
_PATIENCE = timedelta(days=30)
_LOST = (
    *("connection closed by", "connection reset by peer", "connection refused", "connection was closed"),
    *("connection was likely closed", "broken pipe", "gloo", "tcpstore"),
    # of NCCL, whose other errors are of this machine
    *("remote process exit", "application crash on rank", "communicator was aborted", "watchdog caught"),
)
_SHARED = "duplicate gpu detected"


class Announcer:
    """What the first process tells the others; tells nobody where there are none."""

    def __init__(self) -> None:
        self._store = _store() if world() > 1 else None
        self._told = 0

    def begins(self, run: Path, step: Step) -> None:
        """The body of a step of a run begins."""
        if step.together:
            self._tell(json.dumps([str(run), step.name]))

    def end(self) -> None:
        """Nothing more comes."""
        self._tell(_END)
        self._store = None

    def _tell(self, message: str) -> None:
        if self._store is not None:
            self._store.set(str(self._told), message)
            self._told += 1


@contextmanager
def leading() -> Iterator[Announcer]:
    """The first process at work; the others leave when it is done."""
    announcer = Announcer()
    try:
        with naming_lost_processes():
            yield announcer
            announcer.end()
            _part(wait=True)
    finally:
        _part(wait=False)


def follow(find: Find) -> None:
    """Another process: help with each step that the first one tells of, until it is done.

    Args: find: the step of a name, in the plan of the run in a folder.
    """
    store, heard = _store(), 0
    with naming_lost_processes():
        while message := store.get(str(heard)).decode():
            heard += 1
            run, name = json.loads(message)
            step = find(Path(run), name)
            folder = working_folder(Path(run) / step.artifact)
            if begun_for(folder) is not None:  # else it is done already: nothing was left to share
                step.body(folder)
        _part(wait=True)


@contextmanager
def naming_lost_processes() -> Iterator[None]:
    """Say of a connection that broke what it means: another process of torchrun has ended; or of one that never was,
    that two of them have the same card.

    Raises: UserError in place of the error of gloo, NCCL or the store.
    """
    try:
        yield
    except RuntimeError as error:
        said = str(error).lower()
        if world() == 1 or not any(sign in said for sign in (_SHARED, *_LOST)):
            raise
        if _SHARED in said:
            what = "torchrun has started more processes than there are cards"
            do = "give --nproc-per-node the number of cards of the machine, or leave torchrun out where that is 1"
        else:
            what = "another process of torchrun has ended, and this one cannot go on alone"
            do = "see what the other one says; the same command goes on from the last checkpoint"
        raise UserError(what, where=f"process {rank()} of {world()}", found=_cause(error), do=do) from None


def _cause(error: RuntimeError) -> str:
    """The first line of an error, and what NCCL puts last."""
    first, _, rest = str(error).partition("\n")
    return " ".join(f"{first} {rest.partition('Last error:')[2]}".split())


def is_follower() -> bool:
    """Whether this process only helps."""
    return rank() > 0


def require_together(steps: Iterable[Step], runner: Steps) -> None:
    """Refuse several processes for models that one process trains, where nothing else is to be made.

    Beside fits and labels that are shared, the first process trains such a model and the others wait.

    Raises: UserError naming the steps.
    """
    if world() == 1:
        return
    open_ = [step for step in steps if not (runner.is_readable(step) and runner.is_done(step))]
    alone = [step.name for step in open_ if step.alone]
    if alone and not any(step.together for step in open_):
        raise UserError(
            "models of this family are trained by one process",
            where="torchrun",
            found=f"{', '.join(alone)}, and {world()} processes",
            do="give the same command without torchrun",
        )


def _store() -> Any:
    """A part of the store that torchrun keeps for its processes."""
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    store, _, _ = next(rendezvous("env://"))
    own = PrefixStore("distill", store)
    own.set_timeout(_PATIENCE)
    return own


def _part(*, wait: bool) -> None:
    """Leave the group that training formed. Args: wait: for the others to leave too.

    A process that ended in it could be aborted: gloo's threads may free tensors when the interpreter is already gone.
    """
    if world() == 1:
        return
    from torch import distributed

    if distributed.is_initialized():
        if wait:
            distributed.barrier()
        distributed.destroy_process_group()
