"""How fast one and two workers of a Ray cluster on this machine label the same rows, with one thread each.

`python -m benchmarks.ray_labelling` makes an encoder of random weights and rows of made-up words. In every round one
worker labels all rows, and two do: tokenised, scored, written as shards and sent back. The clock starts when each
worker has finished a shard, so that neither the start of the cluster nor loading the model counts, and stops at the
last shard. The ratio is the median over rounds, with its interval. The last line is one JSON document.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.environment import environment
from benchmarks.rounds import ratio
from distill.core.errors import DistillError, UserError
from distill.core.files import Json
from distill.core.labelling import Labelling
from distill.core.project import ViewConfig
from distill.core.record_store import write_records
from distill.core.records import Record
from distill.core.view import TOKENIZER_FILE, View
from distill.families.family import Opening
from teachers.engines.cluster import cluster
from teachers.engines.crew import Asked, Crew
from teachers.engines.worker import Finished, Order
from teachers.label_origins import Origins
from teachers.label_shard import Writing
from teachers.shards import parts

_LABELS = ["no", "maybe", "yes"]
_POOL = "pool.made"


@dataclass(frozen=True)
class Size:
    """What is labelled. Attributes: words: of a row's text. layers, width: of the encoder. rounds: of each count."""

    rows: int = 1024
    shard_rows: int = 32
    words: int = 100
    layers: int = 6
    width: int = 384
    rounds: int = 5


def measure(size: Size, workers: Sequence[int], folder: Path, clock: Callable[[], float] = time.monotonic) -> Json:
    """Rows a second by number of workers, and the ratio to the first number. Args: folder: empty; what is made."""
    teacher = _make(size, folder)
    (part,) = parts(teacher, folder / "records", size.shard_rows)
    origins = Origins.of(part, teacher, "fp32")
    order = Order(teacher, Opening(threads=1), Writing(origins))
    rates: dict[int, list[float]] = {count: [] for count in workers}
    with cluster(Labelling(engine="ray", workers=max(workers)), 1) as (ray, asked):
        for number in range(size.rounds):
            for count in workers if number % 2 else reversed(workers):
                crew = Crew(ray, order, Asked(count, 1, 0, asked.deaths))
                done = [(clock(), one) for one in crew.label(part.shards, origins.origin)]
                rates[count].append(_rate(done, count))
    first, *others = workers
    base = np.array(rates[first])
    found = {f"{count}_vs_{first}": ratio(1 / base, 1 / np.array(rates[count])) for count in others}
    return {
        "rows_per_s": {str(count): round(float(np.median(one)), 2) for count, one in rates.items()},
        "ratios": found,
    }


def _rate(done: Sequence[tuple[float, Finished]], workers: int) -> float:
    """Rows a second once all workers are at work. Args: done: when each shard was finished, in that order.

    Raises: UserError where one came so late that hardly a shard was left.
    """
    places = [one.place for _, one in done]
    first = next((number for number in range(len(done)) if len(set(places[: number + 1])) == workers), len(done))
    rest = done[first + 1 :]
    if len(rest) < 2 * workers:
        do = "give more rows, or a machine that does nothing else"
        raise UserError("a worker started when the others had labelled nearly all", where="--rows", do=do)
    return sum(one.counts.rows for _, one in rest) / (rest[-1][0] - done[first][0])


def _make(size: Size, folder: Path) -> Path:
    """Fill `folder` with `records` and `teacher`; returns the latter."""
    from distill.models.encoder import load_classifier
    from distill.models.fresh import Shape, make_encoder
    from distill.models.pretrained import save_tokenizer

    write_records(folder / "records" / f"{_POOL}.parquet", _rows(size.rows, size.words))
    write_records(folder / "records" / "train.parquet", [])
    encoder, teacher = folder / "encoder", folder / "teacher"
    shape = Shape(layers=size.layers, width=size.width, heads=size.width // 32, vocabulary=2000)
    make_encoder((row.fields["text"] for row in _rows(200, size.words)), encoder, shape, 1)
    load_classifier(encoder, _LABELS).save_pretrained(teacher)
    save_tokenizer(encoder, teacher)
    view = ViewConfig.model_validate({"left": ["text"], "max_tokens": 512})
    View("document", view, teacher / TOKENIZER_FILE).save(teacher)
    return teacher


def _rows(count: int, words: int) -> Iterator[Record]:
    """Rows of made-up words, of half to all of so many each."""
    chance = random.Random(count)
    vocabulary = [f"w{number:x}" for number in range(1000)]
    for number in range(count):
        text = chance.choices(vocabulary, k=chance.randint(words // 2, words))
        yield Record(f"r{number}", {"text": " ".join(text)})


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ray_labelling", description=__doc__)
    for name, default in vars(Size()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=default)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="numbers of workers, the base first")
    options = vars(parser.parse_args(arguments))
    workers = options.pop("workers")
    try:
        with tempfile.TemporaryDirectory() as folder:
            before = environment()
            found = measure(Size(**options), workers, Path(folder))
    except DistillError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps({"kind": "ray_labelling", **options, "threads": 1, **found, "environment": before}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
