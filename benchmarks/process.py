"""One subject in one fresh process, with every pool of threads at the same size."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.config import BenchConfig
from benchmarks.requests import Row
from benchmarks.subjects import Subject
from distill.core.errors import UserError

_ROOT = Path(__file__).resolve().parents[1]
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
_ASLEEP = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"}
_ERROR_LINES = 6


def run_process(
    subject: Subject, rows: Sequence[Row], config: BenchConfig, threads: int, more: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What a fresh process measures for `subject`; see `benchmarks.latency_worker.measure`.

    Args: more: further keys of the job, see `benchmarks.latency_worker.run_job`.
    Raises: UserError with the end of the process's error output when it fails or is killed.
    """
    job = {
        "subject": subject.as_json(),
        "rows": [dict(row) for row in rows],
        "threads": threads,
        "config": config.model_dump(mode="json"),
        **(more or {}),
        # This clock is the machine's, so that the process can tell how long ago that was.
        "started_ns": time.monotonic_ns(),
    }
    # -P keeps the caller's folder off the module path, where other packages may have our names.
    with _ended_with_us() as pipe:
        command = [sys.executable, "-P", "-m", "benchmarks.latency_worker", str(pipe)]
        settings: dict[str, Any] = {"capture_output": True, "text": True, "env": _variables(threads, config.spinning)}
        done = subprocess.run(command, input=json.dumps(job), pass_fds=(pipe,), **settings)
    if done.returncode != 0:
        raise _failed(subject, done)
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def _ended_with_us() -> Iterator[int]:
    """The end of a pipe whose other end only this process holds: it closes when this process ends, however it ends."""
    ours, other = os.pipe()
    try:
        yield ours
    finally:
        os.close(ours)
        os.close(other)


def _variables(threads: int, spinning: bool) -> dict[str, str]:
    """The process's environment: equal pools of threads, nothing fetched, our packages first on the module path.

    Args: spinning: whether OpenMP's threads without work wait in a loop for as long as the library does by itself,
        whatever this process inherited.
    """
    path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    inherited = {key: value for key, value in os.environ.items() if key not in _ASLEEP}
    pools = dict.fromkeys(_THREAD_VARIABLES, str(threads))
    waits = {} if spinning else _ASLEEP
    return {**inherited, **pools, **waits, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"}


def _failed(subject: Subject, done: subprocess.CompletedProcess[str]) -> UserError:
    lines = "\n".join(done.stderr.strip().splitlines()[-_ERROR_LINES:])
    how = f"killed by signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
    return UserError(
        f"the latency process of {subject.name} ended without a result ({how})",
        where=str(subject.export or subject.model_folder),
        found=lines or "no message",
        do="check the artifact, or build it again; finished steps are kept",
    )
