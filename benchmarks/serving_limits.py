"""What a bundle does under a server's load: many threads, one endless text, many predictions.

`python -m benchmarks.serving_limits BUNDLE` prints one JSON line: whether 8 threads on one model give the answers of
one, the seconds of a text of 1,000,000 characters, and how much the process's peak memory has grown from a tenth of
100,000 predictions to their end. The exit code is 3 where the threads' answers differ.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.memory import peak_bytes
from distill.core.errors import DistillError
from distill.core.files import Json
from export.checked_bundle import open_bundle
from export.runtime import Bundle
from export.verify import GOLDEN

THREADS, CHARACTERS, PREDICTIONS = 8, 1_000_000, 100_000
ENDLESS = {"words": "дрель аккумуляторная купить ", "one word": "ж"}


def measure(
    bundle: Bundle,
    predictions: int = PREDICTIONS,
    clock: Callable[[], float] = time.perf_counter,
    tick: Callable[[int], None] = lambda done: None,
) -> Json:
    """What a bundle does on its golden records.

    Args: predictions: how many, one record at a time, as a server asks. clock: in seconds. tick: told how many are
        done.
    Returns: `{"predictions", "threads_equal", "seconds_of_a_million_characters": {kind: s}, "endless_bytes", "ratios":
        {"memory", "endless"}}`. memory: peak of the process at the end over that at a tenth of the predictions.
        endless: seconds of the slower endless text over those of a record that fills the view.
    """
    records = golden_records(bundle)
    alone = [bundle.predict([record])[0] for record in records]
    with ThreadPoolExecutor(THREADS) as pool:
        repeated = [*records] * THREADS
        together = list(pool.map(lambda record: bundle.predict([record])[0], repeated))
    full = endless(bundle, "words", 20_000)
    usual = min(_seconds(bundle, full, clock) for _ in range(5))
    before, spent = peak_bytes(), {}
    for kind in ENDLESS:
        spent[kind] = _seconds(bundle, endless(bundle, kind), clock)
    grown, warm = peak_bytes() - before, 0
    for done in range(predictions):
        bundle.predict([records[done % len(records)]])
        if done == predictions // 10:
            warm = peak_bytes()
        tick(done)
    return {
        "predictions": predictions,
        "threads_equal": together == alone * THREADS,
        "seconds_of_a_million_characters": spent,
        "endless_bytes": grown,
        "ratios": {"memory": peak_bytes() / warm, "endless": max(spent.values()) / usual},
    }


def golden_records(bundle: Bundle) -> list[Mapping[str, Any]]:
    """The golden records of a bundle."""
    return [json.loads(line)["record"] for line in (bundle.folder / GOLDEN).read_bytes().splitlines()]


def endless(bundle: Bundle, kind: str, characters: int = CHARACTERS) -> dict[str, str]:
    """A record with a text of so many characters in every field of the view."""
    text = (ENDLESS[kind] * (1 + characters // len(ENDLESS[kind])))[:characters]
    return {path: text for path in (*bundle.before["left"], *bundle.before["right"])}


def _seconds(bundle: Bundle, record: Mapping[str, Any], clock: Callable[[], float]) -> float:
    start = clock()
    bundle.predict([record])
    return clock() - start


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving_limits", description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--precision", help="an artifact; the default one of the bundle")
    parser.add_argument("--predictions", type=int, default=PREDICTIONS)
    options = parser.parse_args(arguments)
    try:
        bundle = open_bundle(options.bundle, options.precision, threads=1)
    except DistillError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    every = max(1, options.predictions // 10)

    def tick(done: int) -> None:
        if (done + 1) % every == 0:
            print(f"{done + 1} of {options.predictions} predictions", file=sys.stderr, flush=True)

    found = measure(bundle, options.predictions, tick=tick)
    print(json.dumps({"bundle": bundle.before["name"], "precision": bundle.precision, **found}))
    return 0 if found["threads_equal"] else 3


if __name__ == "__main__":
    sys.exit(main())
