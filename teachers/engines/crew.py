"""Workers of a Ray cluster at the shards of a store: those that die are replaced, and their shards given out again."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from distill.core.errors import DistillError, UserError
from distill.core.label_origin import Origin
from distill.core.progress import note
from teachers.engines.worker import Finished, Order, ShardWorker
from teachers.shards import Shard

_OPENING = -1  # in place of a shard
_PATIENCE_S = 60.0  # without a worker, before the user is told what Ray has room for


@dataclass(frozen=True)
class Asked:
    """How many workers, and what each takes. Attributes: deaths: at one shard, or in a row at opening, that end it."""

    workers: int
    cpus: int
    gpus: float
    deaths: int


class Crew:
    """At most so many actors at once, each at one shard at a time.

    Ray places them, tells of their deaths and starts others elsewhere; this decides only which shard is next.
    """

    def __init__(self, ray: Any, order: Order, asked: Asked) -> None:
        self._ray, self._order, self._asked = ray, order, asked
        self._actor = ray.remote(num_cpus=asked.cpus, num_gpus=asked.gpus, max_restarts=0)(ShardWorker)
        self._busy: dict[Any, tuple[Any, Shard | None]] = {}  # by what is waited for: the actor, and its shard
        self._left: deque[Shard] = deque()
        self._deaths: Counter[int] = Counter()

    def label(self, shards: Sequence[Shard], origin: Callable[[Shard], Origin]) -> Iterator[Finished]:
        """Each shard when it is finished, in any order.

        Args: origin: what a shard's file says of where it comes from.
        Raises: UserError naming the shard at which workers die, or what a worker raised.
        """
        self._left, self._origin = deque(shards), origin
        try:
            for _ in range(min(self._asked.workers, len(shards))):
                self._hire()
            while self._left or any(shard for _, shard in self._busy.values()):
                done, _ = self._ray.wait(list(self._busy), timeout=_PATIENCE_S)
                if not done:
                    self._tell_if_nobody_works()
                for one in done:
                    yield from self._hear(one)
        finally:
            for actor, _ in self._busy.values():
                self._ray.kill(actor)
            self._busy = {}

    def _hire(self) -> None:
        actor = self._actor.remote(self._order)
        self._busy[actor.open.remote()] = actor, None

    def _hear(self, one: Any) -> Iterator[Finished]:
        actor, shard = self._busy.pop(one)
        try:
            found = self._ray.get(one)
        except self._ray.exceptions.RayTaskError as error:
            cause = error.cause
            raise (cause if isinstance(cause, DistillError) else error) from None
        except self._ray.exceptions.RayError as error:
            self._bury(actor, shard, error)
            return
        if shard is None:
            self._deaths.pop(_OPENING, None)
        if self._left:
            following = self._left.popleft()
            self._busy[actor.label.remote(following, self._origin(following))] = actor, following
        else:
            self._ray.kill(actor)
        if shard is not None:
            yield found

    def _bury(self, actor: Any, shard: Shard | None, error: Exception) -> None:
        """Replace a worker that died, or that its machine died with. Raises: UserError where too many have."""
        self._ray.kill(actor)
        at = _OPENING if shard is None else shard.index
        self._deaths[at] += 1
        where = "opening the model" if shard is None else f"shard {shard.index}, {rows_of(shard)}"
        reason = _reason(error)
        if self._deaths[at] >= self._asked.deaths:
            do = (
                "look at the worker's log, give it more memory or take a smaller batch_tokens, and start again: "
                "finished shards are kept"
            )
            what = f"{self._deaths[at]} workers have died at the same place"
            raise UserError(what, where=where, found=reason, do=do) from error
        note(f"a worker died at {where}; it is given out again ({reason})")
        if shard is not None:
            self._left.appendleft(shard)
        if self._left:
            self._hire()

    def _tell_if_nobody_works(self) -> None:
        if any(shard for _, shard in self._busy.values()):
            return
        asked, free = self._asked, self._ray.available_resources()
        has = f"{free.get('CPU', 0):g} CPUs and {free.get('GPU', 0):g} GPUs free"
        note(f"no worker has started yet: each takes {asked.cpus} CPUs and {asked.gpus:g} GPUs, the cluster has {has}")


def rows_of(shard: Shard) -> str:
    """Which rows a shard holds, in words."""
    return ", ".join(f"rows {start} to {stop - 1} of {name}" for name, (start, stop) in shard.extent.items())


def _reason(error: Exception) -> str:
    """What Ray says of a death, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    found = next((line for line in lines if "dead because" in line or "OOM" in line), lines[0] if lines else "")
    return (found or type(error).__name__).split(" Some common causes")[0][:300]
