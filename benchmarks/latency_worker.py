"""One fresh process that measures one subject: a JSON job on standard input, one JSON line as the last line of output.

Started by `benchmarks.process`; the runtime of the subject is the only heavy library that is imported.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.blocks import Block, Pace, time_blocks
from benchmarks.config import BenchConfig
from benchmarks.disturbance import Watch, watch
from benchmarks.layouts import BATCHES, LAYOUTS, Sessions, rates
from benchmarks.memory import peak_bytes
from benchmarks.requests import Row, groups
from benchmarks.scenario import Served, scenario_named
from benchmarks.subjects import Subject
from benchmarks.timing import NS_PER_S, Clock, Timing, affordable, time_one, warmed_up
from distill.core.errors import DistillError
from distill.core.files import Json
from distill.families.family import Opening, open_model
from distill.inference.scorer import Prepared, Scorer
from distill.inference.token_budget import NO_LIMIT
from export.targets import target_class

_WARM, _SINGLE, _BULK = 0.1, 0.7, 0.25
"""Of a process's seconds: what warming up may take, until when requests are begun, and what throughput may take."""


def measure(scorer: Scorer, served: Served, watched: Watch, kinds: Sequence[str] | None = (BATCHES,)) -> Json:
    """Every sample of one process. Requests that are left when `served.seconds` are over are not asked.

    Args: scorer: opened with all threads. kinds: layouts of sessions whose throughput is measured; None: all.
    Returns: `batches`: batch size to `total_ns` and `tokenise_ns` of the first requests, in their order; `tokens` per
        record; `peak_bytes` of memory by then; `layouts`: records a second of each, over as many of the first records
        as there was time for; `disturbed`: the share of requests that something disturbed each time; `blocks`: what
        went on around each block of requests.
    """

    def labels(prepared: Sequence[Prepared]) -> NDArray[np.int64]:
        return scorer.answer(prepared).argmax(axis=1)

    rows, config, clock, seconds = served.rows, served.config, served.clock, served.seconds
    until = None if seconds is None else clock() + int(_SINGLE * seconds * NS_PER_S)
    blocks: dict[str, list[Block]] = {}
    for batch in config.batch:
        asked = groups(rows, batch)

        def ask(position: int, asked: Sequence[Sequence[Row]] = asked) -> Timing:
            return time_one(asked[position % len(asked)], scorer.prepare, labels, clock)

        first = warmed_up(ask, config.warmup, None if seconds is None else _WARM * seconds)
        blocks[str(batch)] = time_blocks(len(asked), ask, watched, clock, Pace(until), first)
    found = {
        "batches": {batch: _samples(timed) for batch, timed in blocks.items()},
        "tokens": [item.read_tokens for item in scorer.prepare(rows)],
        "peak_bytes": peak_bytes(),  # before there are further sessions
        **_disturbance([block for timed in blocks.values() for block in timed]),
        "quickest": watched.quickest,
    }
    sessions = Sessions(scorer, served.apart() if kinds is None else [], config.throughput_batch)
    bulk = None if seconds is None else _BULK * seconds / len(kinds or LAYOUTS)
    timings = [timing for timed in blocks.values() for block in timed for timing in block.timings]
    taken = affordable(len(rows), bulk, timings)
    return {**found, "layouts": rates(sessions, rows[:taken], clock, kinds)}


def run_job(job: Mapping[str, Any], clock: Clock = time.perf_counter_ns, empty_bytes: int = 0) -> Json:
    """Load the job's subject and measure it.

    Args: job: `subject`, `rows`, `threads`, `config`; `seconds` of the process, `quickest` time of the loop of known
        cost so far, `started_ns` when the process was started, `keep` the logits, `scenario` to measure instead: each
        or none. empty_bytes: memory of the process before it opened anything.
    """
    if "scenario" in job:
        return {"cells": scenario_named(job["scenario"]).measure(_served(job, clock))}
    rows, subject, began = job["rows"], Subject.from_json(job["subject"]), time.monotonic()
    served = _served(job, clock)
    scorer = served.open(job["threads"])
    scorer.answer(scorer.prepare(rows[:1]))
    answered = time.monotonic_ns()
    watched, seconds = watch(job["threads"], job.get("quickest"), served.config.spinning), job.get("seconds")
    left = None if seconds is None else max(0.0, seconds - (time.monotonic() - began))
    # Who serves a student has to lay it out; of what else there is, the throughput of batches says enough.
    laid_out = served.config.layouts and subject.role == "student" and subject.export is not None
    found = measure(scorer, replace(served, seconds=left), watched, None if laid_out else (BATCHES,))
    peak = found.pop("peak_bytes")
    return {
        **found,
        "start_ms": (answered - job["started_ns"]) / 1e6 if "started_ns" in job else None,
        "memory_bytes": peak - empty_bytes,
        "weights": dict(scorer.weights),
        "runtime": _runtime_settings(),
        **({"logits": scorer.score(rows).logits.tolist()} if job.get("keep") else {}),
    }


def _served(job: Mapping[str, Any], clock: Clock) -> Served:
    subject, config = Subject.from_json(job["subject"]), BenchConfig.model_validate(job["config"])
    return Served(
        open=lambda threads: opened(subject, threads, config.spinning),
        rows=job["rows"],
        threads=job["threads"],
        config=config,
        clock=clock,
        sleep=time.sleep,
        seconds=job.get("seconds"),
        several=subject.export is not None,
    )


def opened(subject: Subject, threads: int, spinning: bool = True) -> Scorer:
    """The subject as it is served, with all windows of a request in one batch wherever they may share one.

    Args: spinning: of ONNX Runtime's threads; those of PyTorch do as the environment of the process says.
    """
    device = "cpu" if subject.provider == "cpu" else "cuda"
    how = Opening(
        threads,
        device=device,
        batch_tokens=NO_LIMIT,
        max_rows=NO_LIMIT,
        provider=subject.provider,
        compiled=subject.compiled,
        spinning=spinning,
    )
    if subject.target is not None and subject.export is not None:
        return target_class(subject.target).scorer(subject.export, subject.model_folder, how)
    scorer = open_model(subject.model_folder, how)
    # Operators come one after another in every runtime here: no second pool that could take processors.
    if (torch := sys.modules.get("torch")) is not None:
        with suppress(RuntimeError):  # it is set already
            torch.set_num_interop_threads(1)
    return scorer


def _samples(blocks: Sequence[Block]) -> Json:
    timings = [timing for block in blocks for timing in block.timings]
    return {
        "total_ns": [timing.total_ns for timing in timings],
        "tokenise_ns": [timing.tokenise_ns for timing in timings],
    }


def _disturbance(blocks: Sequence[Block]) -> Json:
    every = sum(len(block.timings) for block in blocks)
    noisy = sum(len(block.timings) for block in blocks if block.reading.reasons)
    told = [
        {
            "requests": len(block.timings),
            "repeats": block.repeats,
            **asdict(block.reading),
            "why": block.reading.reasons,
        }
        for block in blocks
    ]
    return {"disturbed": noisy / every if every else 0.0, "blocks": told}


def _runtime_settings() -> Json:
    """Threads of the libraries that are loaded, as they say themselves."""
    torch = sys.modules.get("torch")
    if torch is None:
        return {"between_operators": 1}
    return {"within_operators": torch.get_num_threads(), "between_operators": torch.get_num_interop_threads()}


def end_with(pipe: int) -> None:
    """End this process when the one that started it ends, killed or not: left alone it would disturb what comes next.

    Args: pipe: the end of a pipe that the other process keeps open and writes nothing into.
    """

    def wait() -> None:
        os.read(pipe, 1)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def main() -> None:
    """Read a job, print its result; a mistake of the user's goes to standard error as one message."""
    end_with(int(sys.argv[1]))
    job = json.load(sys.stdin)
    try:
        result = run_job(job, empty_bytes=peak_bytes())
    except DistillError as error:
        print(error, file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    print(json.dumps(result))


if __name__ == "__main__":
    main()
