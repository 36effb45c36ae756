"""Runs of rows encoded into files, by this process or by several of its own: `python -m distill.training.encoding`.

A worker is told its rows on standard input and ends when that is closed, so it never outlives the process that started
it. It is no child of `multiprocessing`, which would run the main script of a user who calls the toolkit from Python.

Processes, not the tokenizer's own threads: 32% of the time of a row of 36 words is spent in Python, so that threads
alone would be at most 1.5 times as fast on two cores and 3 times on any number.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from distill.core.config import parse
from distill.core.errors import UserError
from distill.core.project import ViewConfig
from distill.core.record_store import records_between
from distill.core.view import View
from distill.training.encoded_rows import encoded_batch, write_encoded

_ROOT = Path(__file__).resolve().parents[2]
_POLL_S = 0.1
_ERROR_LINES = 4


@dataclass(frozen=True)
class Shard:
    """A run of a split's rows, and the file that it goes into. Attributes: records: the records artifact."""

    path: Path
    records: Path
    split: str
    start: int
    stop: int

    def __len__(self) -> int:
        """Rows."""
        return self.stop - self.start


def encode(shard: Shard, view: View) -> None:
    """Write a shard's file, atomically."""
    records = records_between(shard.records, shard.split, shard.start, shard.stop)
    write_encoded(shard.path, encoded_batch(view.renderer().encode_batch([record.fields for record in records])))


def encode_by(processes: int, shards: Sequence[Shard], view: View) -> Iterator[Shard]:
    """Each shard after its file is written, by `processes` processes. Raises: UserError when one of them fails."""
    waiting = list(shards)
    with ExitStack() as running:
        parts = [shards[number::processes] for number in range(processes)]
        workers = [running.enter_context(worker(part, view)) for part in parts]
        while waiting:
            done = [shard for shard in waiting if shard.path.exists()]
            waiting = [shard for shard in waiting if shard not in done]
            yield from done
            for process, told in workers:
                if process.poll():
                    raise _failed(view, told() or f"exit code {process.returncode}")
            time.sleep(_POLL_S if waiting else 0)


@contextmanager
def worker(shards: Sequence[Shard], view: View) -> Iterator[tuple[subprocess.Popen[str], Callable[[], str]]]:
    """A process that encodes these shards, and what says, once it has failed, why; it is ended with the block."""
    shown = [[str(one.path), str(one.records), one.split, one.start, one.stop] for one in shards]
    job = {"view": [view.name, view.config.as_json(), str(view.tokenizer_path)], "shards": shown}
    path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    # Each process tokenises on one thread: together they have as many as the run may use.
    variables = {**os.environ, "PYTHONPATH": path, "TOKENIZERS_PARALLELISM": "false"}
    command = [sys.executable, "-P", "-m", "distill.training.encoding"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", errors="replace", env=variables
    )
    assert process.stdin is not None and process.stderr is not None
    lines = deque[str](maxlen=_ERROR_LINES)
    # Not into a file: where the disk is full, that is what has to be told.
    reading = threading.Thread(target=lines.extend, args=(process.stderr,), daemon=True)
    reading.start()

    def told() -> str:
        reading.join()
        return "".join(lines).strip()

    try:
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
        yield process, told
    finally:
        process.kill()
        process.wait()
        reading.join()
        process.stdin.close()
        process.stderr.close()


def _failed(view: View, found: str) -> UserError:
    return UserError(
        f"rows could not be encoded for the view '{view.name}'",
        found=found,
        do="start again: rows that are encoded are kept",
    )


def _work() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process is told too, and ends this one
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_input, daemon=True).start()
    name, config, tokenizer = job["view"]
    view = View(name, parse(ViewConfig, config, f"views.{name}"), Path(tokenizer))
    try:
        for path, records, split, start, stop in job["shards"]:
            encode(Shard(Path(path), Path(records), split, start, stop), view)
    except UserError as error:
        sys.exit(str(error))


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    _work()
