"""Throughput: how many records a second, by how sessions, threads and batches are laid out."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from benchmarks.requests import Row
from benchmarks.scenario import Scenario, Served, spread
from benchmarks.timing import NS_PER_S
from distill.core.files import Json
from distill.inference.scorer import Scorer

ONE = "one session, one record at a time"
BATCHES = "one session, batches in length order"
SESSIONS = "a session for each thread, one record at a time"


class Offline(Scenario):
    """All requests as fast as they go, tokenisation included. `ratio`: to one session with one record at a time."""

    name: ClassVar[str] = "offline"

    def measure(self, served: Served) -> list[Json]:
        """A cell for each layout, all of the same budget of threads."""
        whole = served.open(served.threads)
        many = [served.open(1) for _ in range(served.threads)] if served.threads > 1 else []
        single, batches = [[row] for row in served.rows], _in_length_order(whole, served)
        layouts = {ONE: ([whole], single), BATCHES: ([whole], batches), **({SESSIONS: (many, single)} if many else {})}
        rates = {}
        for kind, (scorers, work) in layouts.items():
            _answer_all(scorers, work[: 4 * len(scorers)])
            started = served.clock()
            _answer_all(scorers, work)
            rates[kind] = len(served.rows) * NS_PER_S / (served.clock() - started)
        return [{"kind": kind, "per_s": rate, "ratio": rate / rates[ONE]} for kind, rate in rates.items()]

    def entry(self, kind: str, cells: Sequence[Mapping[str, Any]]) -> Json:
        """Rate and ratio with their intervals over processes."""
        return {key: spread([cell[key] for cell in cells]) for key in ("per_s", "ratio")}


def _in_length_order(scorer: Scorer, served: Served) -> list[list[Row]]:
    order = np.argsort([item.read_tokens for item in scorer.prepare(served.rows)], kind="stable")
    size = served.config.throughput_batch
    return [[served.rows[at] for at in order[start : start + size]] for start in range(0, len(order), size)]


def _answer_all(scorers: Sequence[Scorer], work: Sequence[Sequence[Row]]) -> None:
    """Answer each piece of work once; every scorer has a thread of its own and takes the next piece when it is free."""
    waiting, lock = iter(work), threading.Lock()

    def serve(scorer: Scorer) -> None:
        for rows in _taken(waiting, lock):
            scorer.answer(scorer.prepare(rows))

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
