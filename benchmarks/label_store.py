"""How fast rows go through the labelling beside the model: compared, read, batched by length, written as shards.

`python -m benchmarks.label_store --rows 1000000` makes records up and labels them with a model that costs nothing: its
rows say their lengths, and its logits are made of those. `ratios` has the rows a second, how many of them are left at
`--rows` of those at 50,000, and what `--rows` take in memory beyond 10,000. Each pass is a process of its own, and the
two sizes take turns. Beside rows a second there are rows a second of processor time, which other work on the machine
changes less. Exit code 3 where a limit is not met.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.environment import environment
from benchmarks.memory import peak_bytes
from distill.core.errors import DistillError, GateFailed, UserError
from distill.core.files import Json, remove, write_json
from distill.core.intake.words import word_tokenizer
from distill.core.project import ViewConfig
from distill.core.record_store import write_records
from distill.core.records import Record
from distill.core.view import TOKENIZER_FILE, View
from distill.families.family import CONFIG_FILE, DEFAULT, Facts, Family, Opening
from distill.inference.scorer import Logits, Progress, Row, Scorer
from distill.inference.token_budget import batches

LEAST_ROWS_PER_S, LEAST_STEADY, MOST_MIB = 50_000.0, 0.9, 300.0
SMALL_ROWS, FEW_ROWS = 50_000, 10_000
_TRAIN, _LABELS, _WORDS, _PIECES, _ERROR_LINES, _ROUNDS = 8, ("no", "maybe", "yes"), 60, 2000, 6, 5
_NAME = "label_store"
_STUB = "benchmarks.label_store:Stub"
_BATCH_TOKENS, _MAX_ROWS = 4096, 64


@dataclass(frozen=True, slots=True)
class Given:
    """A row whose length is known."""

    tokens: int

    @property
    def cut_tokens(self) -> int:
        """None."""
        return 0

    @property
    def read_tokens(self) -> int:
        """All."""
        return self.tokens


class GivenLengths(Scorer):
    """A model that costs nothing: batches are formed, and the logits of a row are made of its length."""

    def prepare(self, rows: Sequence[Row]) -> list[Given]:
        """The lengths that rows say."""
        return [Given(int(row["length"])) for row in rows]

    def answer(self, prepared: Sequence[Given], on_progress: Progress | None = None) -> Logits:
        """Logits (N, C), batch by batch."""
        lengths = np.array([one.tokens for one in prepared], np.int32)
        logits: Logits = np.empty((len(lengths), len(_LABELS)), np.float32)
        done = 0
        for rows in batches(lengths, _BATCH_TOKENS, _MAX_ROWS):
            logits[rows] = lengths[rows, None]
            done += len(rows)
            if on_progress:
                on_progress(done)
        return logits


class Stub(Family):
    """The family of that model."""

    name = "stub"
    learns = False
    reads_view = True

    def open(self, folder: Path, how: Opening = DEFAULT) -> GivenLengths:
        """The model."""
        return GivenLengths()

    def facts(self, folder: Path) -> Facts:
        """It has no size."""
        return Facts(None, None)


def measure(rows: int, rounds: int, folder: Path) -> Json:
    """Rows a second and peak memory on 10,000, 50,000 and `rows` rows, and `ratios` of them.

    Args: folder: empty; it is left with what was made. Raises: UserError when a pass fails.
    """
    sizes = (FEW_ROWS, SMALL_ROWS, rows)
    for count in sizes:
        write_pool(folder / str(count), count)
    passes: dict[int, list[Json]] = {count: [] for count in sizes}
    for _ in range(rounds):
        for count in (SMALL_ROWS, rows, SMALL_ROWS):
            passes[count].append(_measured(folder / str(count)))
    passes[FEW_ROWS] = [_measured(folder / str(FEW_ROWS))]
    rates = {count: median(one["rows_per_s"] for one in found) for count, found in passes.items()}
    peaks = {count: max(one["peak_bytes"] for one in found) for count, found in passes.items()}
    return {
        "rows": rows,
        "passes": {str(count): found for count, found in passes.items()},
        "ratios": {
            "rows_per_s": round(rates[rows]),
            "rows_per_cpu_s": round(median(one["rows_per_cpu_s"] for one in passes[rows])),
            "of_small": round(rates[rows] / rates[SMALL_ROWS], 3),
            "mib_beyond_few": round((peaks[rows] - peaks[FEW_ROWS]) / 2**20, 1),
        },
    }


def require(found: Json) -> None:
    """Check the limits. Raises: GateFailed naming those that are not met."""
    ratios = found["ratios"]
    failed = [
        f"{name}: {ratios[name]:g}, {limit:g} required"
        for name, limit, met in (
            ("rows_per_s", LEAST_ROWS_PER_S, ratios["rows_per_s"] >= LEAST_ROWS_PER_S),
            ("of_small", LEAST_STEADY, ratios["of_small"] >= LEAST_STEADY),
            ("mib_beyond_few", MOST_MIB, ratios["mib_beyond_few"] <= MOST_MIB),
        )
        if not met
    ]
    if failed:
        raise GateFailed("the label store is slower or larger than it may be", found="; ".join(failed))


def write_pool(folder: Path, rows: int) -> None:
    """`records` of a pool, and the `model`."""
    records = folder / "records"
    write_records(records / "train.parquet", _rows("t", _TRAIN))
    write_records(records / "pool.web.parquet", _rows("p", rows))
    model = folder / "model"
    write_json(model / CONFIG_FILE, {"distill": {"family": _STUB}, "id2label": dict(enumerate(_LABELS))})
    word_tokenizer().save(str(model / TOKENIZER_FILE))
    view = ViewConfig(left=["product.title"], right=["page.body", "length"], max_tokens=256)
    View("document", view, model / TOKENIZER_FILE).save(model)


def _rows(prefix: str, count: int) -> Iterator[Record]:
    choice, vocabulary = random.Random(prefix), [f"w{number:x}" for number in range(1000)]
    pieces = [" ".join(choice.choices(vocabulary, k=_WORDS // 3)) for _ in range(_PIECES)]
    for number in range(count):
        body = " ".join(choice.choices(pieces, k=3))
        fields = {"product.title": body[:40], "page.body": body, "length": str(choice.randint(20, 250))}
        yield Record(f"{prefix}{number}", fields)


def carry_out(folder: Path) -> Json:
    """Label a pool as `distill label` does."""
    from teachers.config import LabellingConfig
    from teachers.label import label

    out, rows = folder / "labels", int(folder.name) + _TRAIN
    remove(out)
    config = LabellingConfig(precision="fp32")
    started, cpu = time.perf_counter(), time.process_time()
    label(config, folder / "model", folder / "records", 1, out)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    peak = peak_bytes()
    rates = {"rows_per_s": round(rows / seconds), "rows_per_cpu_s": round(rows / cpu)}
    return {"seconds": round(seconds, 3), **rates, "peak_bytes": peak}


def _measured(folder: Path) -> Json:
    """What a process of its own says of its pass."""
    command = [sys.executable, "-P", "-m", "benchmarks.label_store", "--folder", str(folder), "--once"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        told = "\n".join(done.stderr.splitlines()[-_ERROR_LINES:])
        raise UserError("a pass ended without a result", where=str(folder), found=told)
    found: Json = json.loads(done.stdout.splitlines()[-1])
    print(f"{folder.name} rows: {found['rows_per_s']:,} rows/s", file=sys.stderr, flush=True)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.label_store", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the large pool")
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help="passes over the large pool")
    parser.add_argument("--folder", type=Path, help="of what is made up; by default one that is removed")
    parser.add_argument("--results", type=Path, help="folder for the result's file; none: it is only printed")
    parser.add_argument("--once", action="store_true", help="one pass over what is in --folder already")
    options: Any = parser.parse_args(arguments)
    try:
        if options.once:
            found = carry_out(options.folder)
        elif options.folder:
            found = measure(options.rows, options.rounds, options.folder)
        else:
            with tempfile.TemporaryDirectory() as folder:
                found = measure(options.rows, options.rounds, Path(folder))
        print(json.dumps(found))
        if options.results is not None:
            about = {"kind": _NAME, "title": "Labelling beside the model", "command": f"python -m benchmarks.{_NAME}"}
            write_json(options.results / f"{_NAME}.json", {**about, **found, "environment": environment()})
        if not options.once:
            require(found)
    except DistillError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
