"""One fresh process that measures one subject: a JSON job on standard input, one JSON line as the last line of output.

Started by `benchmarks.latency`; the runtime of the subject is the only heavy library that is imported.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.config import BenchConfig
from benchmarks.requests import Row, groups
from benchmarks.subjects import Subject
from benchmarks.timing import Clock, time_requests, time_throughput
from distill.core.errors import DistillError
from distill.core.files import Json
from distill.core.rendering import Encoded
from distill.core.view import View
from distill.inference.collate import collate, pad_id
from distill.inference.runner import Runner
from distill.inference.score import pool_windows
from export.targets import target_class


class Classifier:
    """A model from records to labels, the way a service would call it.

    Args: view: the model's view. runner: logits of a batch.
    """

    def __init__(self, view: View, runner: Runner) -> None:
        self.renderer, self.runner = view.renderer(), runner
        self.pad_id = pad_id(self.renderer.tokenizer)
        self.pool = view.config.windows.pool if view.config.windows else "mean"

    def tokenise(self, rows: Sequence[Row]) -> list[Encoded]:
        """Rendered and tokenised records."""
        return self.renderer.encode_batch(rows)

    def answer(self, encoded: Sequence[Encoded]) -> list[int]:
        """The most probable class of each record; its windows are read in one batch and pooled."""
        logits = self.runner.logits(collate([window for item in encoded for window in item.windows], self.pad_id))
        pooled = pool_windows(logits, [len(item.windows) for item in encoded], self.pool)
        shifted = np.exp(pooled - pooled.max(axis=1, keepdims=True))
        probabilities = shifted / shifted.sum(axis=1, keepdims=True)
        return [int(label) for label in probabilities.argmax(axis=1)]

    def label_all(self, rows: Sequence[Row], batch: int) -> None:
        """Label `rows` in batches of `batch` records in length order, tokenisation included."""
        encoded = sorted(self.tokenise(rows), key=read_tokens)
        for start in range(0, len(encoded), batch):
            self.answer(encoded[start : start + batch])


def read_tokens(encoded: Encoded) -> int:
    """Tokens that the encoder reads for a record: all its windows, special tokens included."""
    return sum(len(window.ids) for window in encoded.windows)


def measure(classifier: Classifier, rows: Sequence[Row], config: BenchConfig, clock: Clock) -> Json:
    """Every sample of one process.

    Returns: `batches`: batch size to `total_ns` and `tokenise_ns` per request; `tokens` per record; `throughput_per_s`.
    """
    batches = {}
    for batch in config.batch:
        timings = time_requests(
            groups(rows, batch), classifier.tokenise, classifier.answer, warmup=config.warmup, clock=clock
        )
        batches[str(batch)] = {
            "total_ns": [timing.total_ns for timing in timings],
            "tokenise_ns": [timing.tokenise_ns for timing in timings],
        }
    encoded = classifier.tokenise(rows)
    # The largest batch once, off the clock: the first one of its size pays for memory.
    classifier.answer(sorted(encoded, key=read_tokens)[-config.throughput_batch :])
    rate = time_throughput(len(rows), lambda: classifier.label_all(rows, config.throughput_batch), clock)
    return {"batches": batches, "tokens": [read_tokens(item) for item in encoded], "throughput_per_s": rate}


def run_job(job: Mapping[str, Any], clock: Clock = time.perf_counter_ns) -> Json:
    """Load the job's subject and measure it. `job`: `subject`, `rows`, `threads`, `config`."""
    subject = Subject.from_json(job["subject"])
    classifier = Classifier(View.load(subject.model_folder), _open(subject, job["threads"]))
    return measure(classifier, job["rows"], BenchConfig.model_validate(job["config"]), clock)


def _open(subject: Subject, threads: int) -> Runner:
    if subject.target is not None and subject.export is not None:
        return target_class(subject.target).open(subject.export, threads)
    from distill.inference.torch_runner import TorchRunner

    precision: Any = subject.precision
    return TorchRunner(subject.model_folder, threads=threads, precision=precision)


def main() -> None:
    """Read a job, print its result; a mistake of the user's goes to standard error as one message."""
    try:
        result = run_job(json.load(sys.stdin))
    except DistillError as error:
        print(error, file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    print(json.dumps(result))


if __name__ == "__main__":
    main()
