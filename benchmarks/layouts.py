"""How a budget of threads is laid out where only records a second count: sessions, threads of each, batches.

One session with all threads is quickest for one record. Short records leave little to share between threads, so as many
sessions as threads, each with a record of its own, often answer more of them together.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.intervals import Centre, around, over_processes, pooled
from benchmarks.requests import Row
from benchmarks.timing import NS_PER_S, Clock
from distill.core.files import Json
from distill.inference.scorer import Scorer

ONE = "one session, one record at a time"
BATCHES = "one session, batches in length order"
SESSIONS = "a session for each thread, one record at a time"
BOTH = "a session for each thread, batches in length order"
LAYOUTS = (ONE, BATCHES, SESSIONS, BOTH)


@dataclass(frozen=True)
class Sessions:
    """What may be asked for records: one session with all threads, and one for each thread, none where they have one.

    Attributes: batch: records of a batch.
    """

    whole: Scorer
    apart: Sequence[Scorer]
    batch: int


def rates(
    sessions: Sessions, rows: Sequence[Row], clock: Clock, kinds: Sequence[str] | None = None
) -> dict[str, float]:
    """Records a second of each layout, tokenisation included, over one pass of all rows.

    Args: kinds: of these alone; None: of all that the sessions can have.
    """
    single, batches = [[row] for row in rows], _in_length_order(sessions.whole, rows, sessions.batch)
    layouts: dict[str, tuple[Sequence[Scorer], Sequence[Sequence[Row]]]] = {
        ONE: ([sessions.whole], single),
        BATCHES: ([sessions.whole], batches),
    }
    if sessions.apart:
        layouts |= {SESSIONS: (sessions.apart, single), BOTH: (sessions.apart, batches)}
    found = {}
    for kind in kinds or layouts:
        scorers, work = layouts[kind]
        # The last piece is the longest: the first of its size pays for memory.
        for scorer in scorers:
            _answer_all([scorer], work[-1:])
        started = clock()
        _answer_all(scorers, work)
        found[kind] = len(rows) * NS_PER_S / (clock() - started)
    return found


def layouts(models: Mapping[str, Sequence[Mapping[str, float]]], threads: int, batch: int) -> dict[str, list[Json]]:
    """The layouts of each model, the one with the most records a second first.

    Args: models: `rates` of each process of each model. threads: of the budget. batch: records of a batch.
    Returns: `kind`, `sessions`, `threads` of each, `batch`, `per_s`, and `ratio` to one session with one record at a
        time with its 95% interval over processes, `low` and `high` None for one process.
    """
    compared = {
        (name, kind): over_processes([one[kind] / one[ONE] for one in processes])
        for name, processes in models.items()
        for kind in processes[0]
        if ONE in processes[0] and kind != ONE
    }
    ratios = pooled(compared)
    return {
        name: sorted(
            (_layout(kind, processes, ratios.get((name, kind)), (threads, batch)) for kind in processes[0]),
            key=lambda one: -one["per_s"],
        )
        for name, processes in models.items()
    }


def _layout(kind: str, processes: Sequence[Mapping[str, float]], ratio: Centre | None, budget: tuple[int, int]) -> Json:
    (threads, batch), apart, many = budget, kind in (SESSIONS, BOTH), kind in (BATCHES, BOTH)
    ratio = Centre(0.0, 0.0, len(processes), 1.0) if kind == ONE else ratio  # to itself: 1, for sure
    low, high = (around(ratio) if ratio else None) or (None, None)
    return {
        "kind": kind,
        "sessions": threads if apart else 1,
        "threads": 1 if apart else threads,
        "batch": batch if many else 1,
        "per_s": math.exp(over_processes([one[kind] for one in processes]).log),
        "ratio": math.exp(ratio.log) if ratio else None,
        "low": low,
        "high": high,
    }


def _in_length_order(scorer: Scorer, rows: Sequence[Row], batch: int) -> list[list[Row]]:
    """The rows in batches, the shortest first."""
    order = np.argsort([item.read_tokens for item in scorer.prepare(rows)], kind="stable")
    return [[rows[at] for at in order[start : start + batch]] for start in range(0, len(order), batch)]


def _answer_all(scorers: Sequence[Scorer], work: Sequence[Sequence[Row]]) -> None:
    """Answer each piece of work once; every scorer has a thread of its own and takes the next piece when it is free."""
    waiting, lock = iter(work), threading.Lock()

    def serve(scorer: Scorer) -> None:
        for rows in _taken(waiting, lock):
            scorer.answer(scorer.prepare(rows)).argmax(axis=1)

    if len(scorers) == 1:
        serve(scorers[0])
        return
    threads = [threading.Thread(target=serve, args=(one,)) for one in scorers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _taken(waiting: Iterator[Sequence[Row]], lock: threading.Lock) -> Iterator[Sequence[Row]]:
    while True:
        with lock:
            rows = next(waiting, None)
        if rows is None:
            return
        yield rows
