"""One fresh process that measures one subject: a JSON job on standard input, one JSON line as the last line of output.

Started by `benchmarks.latency`; the runtime of the subject is the only heavy library that is imported.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.config import BenchConfig
from benchmarks.requests import Row, groups
from benchmarks.subjects import Subject
from benchmarks.timing import Clock, time_requests, time_throughput
from distill.core.errors import DistillError
from distill.core.files import Json
from distill.families.family import Opening, open_model
from distill.inference.scorer import Prepared, Scorer
from distill.inference.token_budget import NO_LIMIT
from export.targets import target_class


def measure(scorer: Scorer, rows: Sequence[Row], config: BenchConfig, clock: Clock) -> Json:
    """Every sample of one process.

    Returns: `batches`: batch size to `total_ns` and `tokenise_ns` per request; `tokens` per record; `throughput_per_s`.
    """

    def labels(prepared: Sequence[Prepared]) -> NDArray[np.int64]:
        return scorer.answer(prepared).argmax(axis=1)

    batches = {}
    for batch in config.batch:
        timings = time_requests(groups(rows, batch), scorer.prepare, labels, warmup=config.warmup, clock=clock)
        batches[str(batch)] = {
            "total_ns": [timing.total_ns for timing in timings],
            "tokenise_ns": [timing.tokenise_ns for timing in timings],
        }
    tokens, size = [item.read_tokens for item in scorer.prepare(rows)], config.throughput_batch
    ordered = [rows[index] for index in np.argsort(tokens, kind="stable")]
    # The largest batch once, off the clock: the first one of its size pays for memory.
    labels(scorer.prepare(ordered[-size:]))

    def label_all() -> None:
        prepared = scorer.prepare(ordered)
        for start in range(0, len(prepared), size):
            labels(prepared[start : start + size])

    return {"batches": batches, "tokens": tokens, "throughput_per_s": time_throughput(len(rows), label_all, clock)}


def run_job(job: Mapping[str, Any], clock: Clock = time.perf_counter_ns) -> Json:
    """Load the job's subject and measure it. `job`: `subject`, `rows`, `threads`, `config`."""
    scorer = opened(Subject.from_json(job["subject"]), job["threads"])
    return measure(scorer, job["rows"], BenchConfig.model_validate(job["config"]), clock)


def opened(subject: Subject, threads: int) -> Scorer:
    """The subject as it is served, with all windows of a request in one batch wherever they may share one."""
    device = "cpu" if subject.provider == "cpu" else "cuda"
    how = Opening(threads, device=device, batch_tokens=NO_LIMIT, max_rows=NO_LIMIT, provider=subject.provider)
    if subject.target is not None and subject.export is not None:
        return target_class(subject.target).scorer(subject.export, subject.model_folder, how)
    return open_model(subject.model_folder, how)


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
    try:
        result = run_job(json.load(sys.stdin))
    except DistillError as error:
        print(error, file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    print(json.dumps(result))


if __name__ == "__main__":
    main()
