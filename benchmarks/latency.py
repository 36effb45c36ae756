"""Latency of teachers and students from raw record to label: equal threads, equal requests, fresh processes.

`python -m benchmarks.latency RUN` measures the models of a finished run again; its last line is JSON holding `ratios`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.config import BenchConfig
from benchmarks.environment import environment
from benchmarks.latency_rows import Round, latency_rows, ratios
from benchmarks.placing import placed
from benchmarks.process import run_process
from benchmarks.requests import Row, choose_rows
from benchmarks.subjects import Subject, find
from distill.core.config import overrides, parse
from distill.core.errors import DistillError, UserError
from distill.core.files import Json, read_json, write_json
from distill.core.record_store import read_records, splits
from distill.inference.providers import AUTO, NAMES

Progress = Callable[[int, int, str], None]
"""Called before each process with: processes done, processes in all, name of the next subject; and once at the end."""

_COLUMNS = {
    "model": "model",
    "precision": "precision",
    "batch": "batch",
    "tokens": "tokens",
    "p50_ms": "p50 ms",
    "p95_ms": "p95 ms",
    "p99_ms": "p99 ms",
    "tokenise_ms": "tokenise ms",
    "throughput_per_s": "records/s",
    "speedup_vs_teacher": "speed-up",
    "speedup_vs_best_teacher": "vs best teacher",
}


def measure(
    subjects: Sequence[Subject],
    rows_by_view: Mapping[str, Sequence[Row]],
    config: BenchConfig,
    threads: int,
    left_out: Mapping[str, str] | None = None,
    *,
    on_progress: Progress | None = None,
) -> Json:
    """Measure every subject on the same requests.

    Each process answers all requests of one subject and no two run at once. A round visits every subject before the
    next round starts, so that drift of the machine meets all of them alike.

    Args: rows_by_view: view name to record fields, the same records in the same order under each name; the requests
        are drawn from them. threads: used unless the config names its own. left_out: models that are not among the
        subjects, by name, with the reason.
    Returns: the content of `latency.json`: `rows` (as in `report.json`), `settings`, `environment`.
    Raises: UserError when a process fails; ValueError when two subjects have one name or views differ in records.
    """
    rounds: dict[str, list[Round]] = {subject.name: [] for subject in subjects}
    if len(rounds) != len(subjects):
        raise ValueError(f"two subjects have one name: {[subject.name for subject in subjects]}")
    threads, machine = config.threads or threads, environment()
    requests = choose_rows(rows_by_view, config.requests, config.seed)
    for done, subject in enumerate(schedule(subjects, config.processes)):
        if on_progress:
            on_progress(done, len(subjects) * config.processes, subject.name)
        rounds[subject.name].append(run_process(subject, requests[subject.view], config, threads))
    if on_progress:
        on_progress(len(subjects) * config.processes, len(subjects) * config.processes, "")
    distinct = min(config.requests, len(rows_by_view[subjects[0].view])) if subjects else 0
    settings = _settings(config, threads, distinct)
    return {
        "rows": latency_rows(subjects, rounds, config, threads),
        "settings": {**settings, "left_out": dict(left_out)} if left_out else settings,
        "environment": machine,
    }


def schedule(subjects: Sequence[Subject], processes: int) -> Iterator[Subject]:
    """The order of the processes: A B C, A B C, …"""
    for _ in range(processes):
        yield from subjects


def from_run(run: Path) -> tuple[list[Subject], dict[str, list[Row]], dict[str, str]]:
    """The models of a finished run, the rows of all its tests by view, and by name why a model is left out.

    Raises: UserError when the folder holds no document teacher or no test records.
    """
    (subjects, left_out), records = find(run), run / "records"
    tests = [split for split in splits(records) if split.startswith("test.")]
    rows: list[Row] = [record.fields for split in tests for record in read_records(records, split)]
    if not rows:
        raise UserError("no test records to make requests from", where=str(records), do="name a finished run")
    return subjects, {subject.view: rows for subject in subjects}, left_out


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as aligned text, a dash for what was not measured."""
    cells = [list(_COLUMNS.values()), *([_cell(row[key]) for key in _COLUMNS] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the run named on the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=measure.__doc__)
    parser.add_argument("run", type=Path, help="folder of a finished run")
    parser.add_argument("--threads", type=int, help="processor threads; those of the run by default")
    parser.add_argument("--provider", choices=(AUTO, *NAMES), default=AUTO, help="what runs exported files")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="any setting: requests=100")
    parser.add_argument("--out", type=Path, help="write the result here as JSON")
    options = parser.parse_args(arguments)
    try:
        result = _measure_run(options.run, options.set, options.threads, options.provider)
    except DistillError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    if options.out:
        write_json(options.out, result)
    for name, reason in result["settings"].get("left_out", {}).items():
        print(f"not timed: {name}: {reason}", file=sys.stderr)
    print(table(result["rows"]))
    print(json.dumps({"ratios": ratios(result["rows"]), **result}, ensure_ascii=False))
    return 0


def _measure_run(run: Path, settings: Sequence[str], threads: int | None, provider: str) -> Json:
    found, rows_by_view, left_out = from_run(run)
    subjects, elsewhere = placed(found, provider)
    left_out |= elsewhere
    stored = read_json(run / "run.json").get("config", {}) if (run / "run.json").exists() else {}
    chosen = {**stored.get("bench", {}), **overrides(settings), **({"threads": threads} if threads else {})}
    config = parse(BenchConfig, chosen, str(run), "bench")
    threads = stored.get("threads") or os.cpu_count() or 1
    return measure(subjects, rows_by_view, config, threads, left_out, on_progress=_print_progress)


def _print_progress(done: int, total: int, name: str) -> None:
    if done < total:
        print(f"[{done + 1}/{total}] {name}", file=sys.stderr)


def _settings(config: BenchConfig, threads: int, distinct: int) -> Json:
    return {
        **config.model_dump(mode="json"),
        "threads": threads,
        "distinct_requests": distinct,
        "loop": "closed: one request after another, service times without queueing",
        "latency": "from record to label: render, tokenise, pad, run; the windows of a request in one batch, "
        "or one by one where a target must not share it",
        "tokenise": "the part of it before the model runs: render and tokenise, or weigh the terms of a TF-IDF model",
        "throughput": f"batches of {config.throughput_batch} records in length order, tokenisation included",
        "tokens": "median tokens that the model reads per record: all windows, special tokens included",
        "speedup_vs_teacher": "p50 of the document teacher in PyTorch eager fp32 over p50 of the row, both at batch 1",
        "speedup_vs_best_teacher": "the same against the fastest artifact of a document teacher",
    }


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if value < 100 else f"{value:.0f}"
    return "-" if value is None else str(value)


if __name__ == "__main__":
    raise SystemExit(main())
