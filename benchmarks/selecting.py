"""How long choosing among the rows of a large labelled pool takes, and how much memory.

`python -m benchmarks.selecting --rows 1000000` makes records and labels up, then measures `select` (equal classes and
slices, bands of entropy, a cap for each key), the order of rows for `distill scale`, and a sample of it. Each is a
process of its own, once on 2,000 rows and once on all, so that what rows take is told apart from what Python takes.
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
from pathlib import Path

import numpy as np

from benchmarks.memory import peak_bytes
from distill.core.errors import DistillError, UserError
from distill.core.files import Json
from distill.core.label_space import LabelSpace
from distill.core.record_store import write_records
from distill.core.records import Record
from distill.core.selection.config import Select
from distill.core.soft_labels import SoftLabels, shard_ranges, write_shard
from distill.training.joining import Share
from distill.training.scaling import order_pool, take_first
from distill.training.selecting import select

LABELS = ("no", "maybe", "yes")
FEW_ROWS, _SHARD_ROWS, _PER_KEY, _ERROR_LINES = 2000, 8192, 20, 6
WORK = ("select", "order", "take")


def measure(rows: int, words: int, folder: Path) -> Json:
    """Seconds and peak bytes of each piece of work on `rows` rows, and the bytes beyond those of 2,000 rows.

    Args: words: of a row's text. folder: empty; it is left with what was made.
    Raises: UserError when one fails.
    """
    found: Json = {"rows": rows, "words": words}
    for count in (FEW_ROWS, rows):
        write_pool(folder / str(count), count, words)
    for work in WORK:
        few, many = (_measured(work, folder / str(count)) for count in (FEW_ROWS, rows))
        found[work] = {**many, "rows_bytes": many["peak_bytes"] - few["peak_bytes"]}
    return found


def write_pool(folder: Path, rows: int, words: int) -> None:
    """`records` and `labels` of a pool whose rows have slices and two keys, each value of a key in 20 rows."""
    write_records(folder / "records" / "pool.web.parquet", _rows(rows, words))
    logits = np.random.default_rng(1).normal(scale=2, size=(rows, len(LABELS))).astype(np.float32)
    for index, start, stop in shard_ranges(rows, _SHARD_ROWS):
        count, ones = stop - start, np.ones(stop - start, np.int32)
        ids = [f"p{number}" for number in range(start, stop)]
        part = SoftLabels(ids, ["pool.web"] * count, logits[start:stop], ones, ones, ["ok"] * count)
        write_shard(folder / "labels", index, part)


def _rows(count: int, words: int) -> Iterator[Record]:
    choice, vocabulary = random.Random(1), [f"w{number:x}" for number in range(1000)]
    values = max(1, count // _PER_KEY)
    for number in range(count):
        text = " ".join(choice.choices(vocabulary, k=words))
        keys = {"product.id": f"product {choice.randrange(values)}", "page.id": f"page {choice.randrange(values)}"}
        yield Record(f"p{number}", {"text": text}, None, f"slice {choice.randrange(8)}", keys)


def _measured(work: str, folder: Path) -> Json:
    """What a process of its own says of its work."""
    command = [sys.executable, "-P", "-m", "benchmarks.selecting", "--work", work, "--folder", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        found = "\n".join(done.stderr.splitlines()[-_ERROR_LINES:])
        raise UserError(f"{work} ended without a result", where=str(folder), found=found)
    told: Json = json.loads(done.stdout.splitlines()[-1])
    return told


def carry_out(work: str, folder: Path) -> Json:
    """Do one piece of work; those before it are done."""
    space, stores, out = LabelSpace(LABELS), {folder / "labels": Share()}, folder / work
    rows = sum(1 for _ in (folder / "labels").glob("shard-*.parquet")) * _SHARD_ROWS // 4
    started = time.perf_counter()
    if work == "select":
        asked = {"rows": rows, "balance": ["class", "slice"], "entropy": [[0, 0.4], [0.5, 1]], "per_key": 10}
        select(Select.model_validate(asked), space, folder / "records", stores, 1, out)
    elif work == "order":
        order_pool(stores, space.objective, folder / "select", 1, out)
    else:
        take_first(folder / "order", rows // 2, ["pool.web"], out)
    seconds = time.perf_counter() - started
    return {
        "seconds": round(seconds, 2),
        "peak_bytes": peak_bytes(),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.selecting", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the pool")
    parser.add_argument("--words", type=int, default=12, help="of a row")
    parser.add_argument("--work", choices=WORK, help="do this one piece of work, and no other, in --folder")
    parser.add_argument("--folder", type=Path, help="of what was made up; by default one that is removed")
    options = parser.parse_args(arguments)
    try:
        if options.work:
            found = carry_out(options.work, options.folder)
        elif options.folder:
            found = measure(options.rows, options.words, options.folder)
        else:
            with tempfile.TemporaryDirectory() as folder:
                found = measure(options.rows, options.words, Path(folder))
    except DistillError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
