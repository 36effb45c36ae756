"""Whether something else had the processor while requests were timed: what is read around them, and what is too much.

A short request fits into one slice of time and looks well on a busy machine, a long one is interrupted: so a busy
machine does not only slow both sides of a speed-up, it makes one up. Beside the kernel's own accounts a loop of known
cost is timed: it grows with whatever takes the processor, also where a container or a virtual machine hides it.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

T = TypeVar("T")

MOST_WAITED = 0.05
"""Of the time, what threads may have waited for a processor that ran something else."""
MOST_STOLEN = 0.02
"""Of the processors' time, what a virtual machine's host may have taken."""
MOST_SWITCHES_PER_S = 50.0
"""Involuntary context switches, judged only where the kernel does not tell how long threads waited."""
MOST_LOOP = 1.3
"""How much longer than its quickest time the loop of known cost may take."""

_TASKS, _STAT = Path("/proc/self/task"), Path("/proc/stat")
_STOLEN_FIELD = 8
_LOOP_BYTES = bytes(1 << 20)
_LOOPS = 16
_TRIES = 3
_CALM_S = 0.05


class Accounts(NamedTuple):
    """What the system has counted for this process so far.

    Attributes: wall_s, cpu_s: seconds. switches: involuntary context switches. waited_s: seconds that its threads were
        ready and had no processor; None where the kernel does not count them. stolen_s: seconds that the host took from
        all processors. load: processes that were ready, over the last minute.
    """

    wall_s: float
    cpu_s: float
    switches: int
    waited_s: float | None
    stolen_s: float
    load: float


@dataclass(frozen=True)
class Reading:
    """What went on around a block of requests.

    Attributes: seconds: of the block. cpu_share: of one processor, what this process used. switches_per_s: involuntary
        ones. waited_share: of the time, what its threads waited for a processor, None where unknown. stolen_share: of
        all processors. load: see `Accounts`. loop: the loop's slower time before or after, over its quickest.
    """

    seconds: float
    cpu_share: float
    switches_per_s: float
    waited_share: float | None
    stolen_share: float
    load: float
    loop: float

    @property
    def reasons(self) -> list[str]:
        """Why the block is not to be believed, with the figure in brackets; empty for a quiet one."""
        found = []
        if self.waited_share is not None and self.waited_share > MOST_WAITED:
            found.append(f"threads waited for a processor ({self.waited_share:.0%} of the time)")
        if self.waited_share is None and self.switches_per_s > MOST_SWITCHES_PER_S:
            found.append(f"involuntary context switches ({self.switches_per_s:.0f} a second)")
        if self.stolen_share > MOST_STOLEN:
            found.append(f"the host took processors ({self.stolen_share:.0%} of their time)")
        if self.loop > MOST_LOOP:
            found.append(f"a loop of known cost took longer ({self.loop:.2f} times)")
        return found


class Watch:
    """Times blocks of work and says what disturbed them.

    Args: loop: does a fixed piece of work and returns its seconds. accounts: read before and after. quickest: the
        loop's least seconds so far, of earlier processes too; None: this one's own.
    Attributes: quickest: the least so far.
    """

    def __init__(
        self, loop: Callable[[], float], accounts: Callable[[], Accounts], quickest: float | None = None
    ) -> None:
        self._loop, self._accounts = loop, accounts
        self.quickest = loop() if quickest is None else quickest

    def around(self, work: Callable[[], T]) -> tuple[T, Reading]:
        """What `work` returns, and what went on meanwhile."""
        first = self._loop()
        before = self._accounts()
        made = work()
        after = self._accounts()
        slower = max(first, last := self._loop())
        self.quickest = min(self.quickest, first, last)
        return made, reading(before, after, slower / self.quickest)


def reading(before: Accounts, after: Accounts, loop: float) -> Reading:
    """The difference of two accounts. Args: loop: see `Reading`."""
    seconds = max(after.wall_s - before.wall_s, 1e-9)
    known = before.waited_s is not None and after.waited_s is not None
    # A thread that ended takes its count with it.
    waited = max(0.0, (after.waited_s or 0.0) - (before.waited_s or 0.0)) / seconds if known else None
    return Reading(
        seconds=seconds,
        cpu_share=(after.cpu_s - before.cpu_s) / seconds,
        switches_per_s=(after.switches - before.switches) / seconds,
        waited_share=waited,
        stolen_share=max(0.0, after.stolen_s - before.stolen_s) / (seconds * (os.cpu_count() or 1)),
        load=max(before.load, after.load),
        loop=loop,
    )


def watch(threads: int, quickest: float | None = None, spinning: bool = True) -> Watch:
    """A watch of this process, whose loop keeps as many processors busy as the model does.

    Threads that sleep at once wait for a processor whenever they wake, thousands of times a second: what they wait is
    the model's own and no sign of others, so that it is not read where there is no `spinning`.

    The quickest of three loops counts: right after a model's work the first one shares its processors with threads of
    that model which still spin, and took 1.5 to 1.9 times as long on an idle machine of two cores; the quickest 1.0 to
    1.1 times. The wait before them is for those that spin longer, as ONNX Runtime's do.
    """

    def loop() -> float:
        time.sleep(_CALM_S)
        return min(hash_loop(threads) for _ in range(_TRIES))

    def without_waits() -> Accounts:
        return accounts()._replace(waited_s=None, switches=0)

    return Watch(loop, accounts if spinning else without_waits, quickest)


def hash_loop(threads: int) -> float:
    """Seconds in which each of `threads` threads hashes 16 MiB; hashing leaves the interpreter to the others."""

    def work() -> None:
        for _ in range(_LOOPS):
            hashlib.sha256(_LOOP_BYTES)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    started = time.perf_counter()
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    return time.perf_counter() - started


def accounts() -> Accounts:
    """This process's accounts now."""
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    return Accounts(
        wall_s=time.monotonic(),
        cpu_s=used.ru_utime + used.ru_stime,
        switches=used.ru_nivcsw,
        waited_s=_waited(),
        stolen_s=_stolen(),
        load=os.getloadavg()[0],
    )


def _waited() -> float | None:
    """Seconds that the threads of this process waited in the queue of a processor."""
    total, found = 0.0, False
    for task in _TASKS.glob("*/schedstat"):
        try:
            total += int(task.read_text().split()[1]) / 1e9
            found = True
        except (OSError, ValueError, IndexError):  # the thread has ended meanwhile
            continue
    return total if found else None


def _stolen() -> float:
    try:
        first = _STAT.read_text().partition("\n")[0].split()
        return int(first[_STOLEN_FIELD]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return 0.0
