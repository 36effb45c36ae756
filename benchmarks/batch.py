"""How fast files are answered, and in how much memory: `python -m benchmarks.batch --work FOLDER`.

Students with random weights answer short records in calls that are processes of their own. `speed`: 3 layers of width
384, one process with all cores against one process for each core, in turns on the same rows. `memory`: 2 layers of
width 128, files of 10,000, 100,000 and 1,000,000 rows. `keys`: tables of as many keys, of rows with 1,000 texts.
Calls that are done are kept in the work folder, so an interrupted measurement goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.batch_student import make_bundle, write_records
from benchmarks.environment import environment
from distill.core.errors import DistillError, UserError
from distill.core.files import Json, read_object, sha256, sha256_json, write_json

NAME = "batch"
ROWS = (10_000, 100_000, 1_000_000)
STUDENTS = {"speed": (3, 384), "memory": (2, 128), "keys": (2, 128)}
"""Layers and width of the student of each part."""

_ROOT = Path(__file__).resolve().parents[1]
_RESULTS = _ROOT / "benchmarks" / "results"
_ERROR_LINES, _TEXTS = 8, 1000


class Cell(NamedTuple):
    """One call. Args: part: `speed`, `memory` or `keys`. round: of the calls in turns."""

    part: str
    rows: int
    workers: int
    precision: str
    round: int = 0

    @property
    def options(self) -> Json:
        """Of `PredictOptions`."""
        keys = {"key": "key", "conflicts": "first"} if self.part == "keys" else {}
        return {"workers": self.workers, "precision": self.precision, **keys}


def cells(rows: Sequence[int], speed_rows: int, rounds: int, precisions: Sequence[str]) -> Iterator[Cell]:
    """All calls: those that are compared in turns, then the others."""
    workers = os.cpu_count() or 1
    for number in range(rounds):
        for precision in precisions:
            yield from (Cell("speed", speed_rows, count, precision, number) for count in (1, workers))
    for part in ("memory", "keys"):
        yield from (Cell(part, count, workers, precisions[-1]) for count in rows)


def measure(asked: Sequence[Cell], work: Path) -> list[Json]:
    """What every call took; those in `work` that were made with the same models are taken from there.

    Raises: UserError when a call fails.
    """
    found = []
    for cell in asked:
        bundle = make_bundle(work / "students", *STUDENTS[cell.part])
        models = sha256_json([sha256(path) for path in sorted(bundle.glob("*.onnx"))])
        kept = work / "cells" / f"{'-'.join(map(str, cell))}.json"
        stored = read_object(kept)
        if stored.get("models") != models:
            stored = {"models": models, **cell._asdict(), **_call(cell, bundle, work)}
            write_json(kept, stored)
        print(f"{'-'.join(map(str, cell))}: {stored['rows_per_s']:.0f} rows/s", file=sys.stderr, flush=True)
        found.append({key: value for key, value in stored.items() if key != "models"})
    return found


def ratios(calls: Sequence[Json]) -> dict[str, float]:
    """How many times as fast several processes are as one, by precision: the median over the rounds."""
    pace = {(one["precision"], one["round"], one["workers"]): one for one in calls if one["part"] == "speed"}
    found: dict[str, list[float]] = {}
    for (precision, number, workers), one in pace.items():
        if workers > 1:
            alone = pace[precision, number, 1]["rows_per_s"]
            found.setdefault(f"{workers}_workers_{precision}", []).append(one["rows_per_s"] / alone)
    return {name: round(statistics.median(values), 3) for name, values in found.items()}


def _call(cell: Cell, bundle: Path, work: Path) -> Json:
    """One call, in a process of its own."""
    source = work / f"{'keys' if cell.part == 'keys' else 'records'}-{cell.rows}.jsonl"
    if not source.exists():
        write_records(source, cell.rows, _TEXTS if cell.part == "keys" else None)
    out = work / "answers.parquet"
    command = [sys.executable, "-P", "-m", "benchmarks.batch_call", *map(str, (bundle, source, out))]
    path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    pools = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(
        [*command, json.dumps(cell.options)], capture_output=True, text=True, env={**pools, "PYTHONPATH": path}
    )
    out.unlink(missing_ok=True)
    if done.returncode:
        found = "\n".join(done.stderr.strip().splitlines()[-_ERROR_LINES:])
        raise UserError("the call ended without a result", where=str(source), found=found, do="cells done are kept")
    result: Json = json.loads(done.stdout.splitlines()[-1])
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        asked = list(cells(options.rows, options.speed_rows, options.rounds, options.precision))
        calls = measure(asked, options.work)
        about = {"kind": NAME, "title": "Answers for files", "command": f"python -m benchmarks.{NAME} --work FOLDER"}
        result = {**about, "students": STUDENTS, "calls": calls, "ratios": ratios(calls), "environment": environment()}
        write_json(options.results / f"{NAME}.json", result)
    except DistillError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps({"ratios": result["ratios"]}))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{NAME}", description=__doc__)
    add = parser.add_argument
    add("--work", type=Path, required=True, help="folder of the student, the records and finished calls")
    add("--rows", type=int, nargs="+", default=ROWS, help="of the files whose memory is measured")
    add("--speed-rows", type=int, default=4096, help="of the file that is answered in turns")
    add("--rounds", type=int, default=2, help="of the turns")
    add("--precision", nargs="+", default=["int8", "fp32"], help="in turns; the last one also of the other calls")
    add("--results", type=Path, default=_RESULTS, help="where the JSON file is stored")
    return parser


if __name__ == "__main__":
    sys.exit(main())
