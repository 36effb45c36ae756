"""Latency of teachers and students from raw record to label: equal threads, equal requests, fresh processes.

`python -m benchmarks.latency RUN` measures the models of a finished run again; its last line is JSON holding `ratios`.
`--aa` measures the reference against itself instead: a benchmark that is to be believed finds 1 there.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.bench import Bench, Progress
from benchmarks.config import BenchConfig
from benchmarks.latency_rows import ratios
from benchmarks.placing import placed
from benchmarks.request_records import record_ids, write_requests
from benchmarks.requests import Row
from benchmarks.subjects import Subject, find
from benchmarks.variants import against_itself, with_variants
from distill.core.config import overrides, parse
from distill.core.errors import DistillError, UserError
from distill.core.files import Json, write_json
from distill.core.record_store import read_records, splits
from distill.core.run_folder import read_run
from distill.inference.providers import AUTO, NAMES
from distill.report.factors_table import FACTORS, factors_sheet
from distill.report.layouts_table import layouts_sheet
from distill.report.run_tables import latency_sheet
from distill.report.tables import rich_tables


def measure(
    subjects: Sequence[Subject],
    rows_by_view: Mapping[str, Sequence[Row]],
    config: BenchConfig,
    threads: int,
    left_out: Mapping[str, str] | None = None,
    *,
    on_progress: Progress | None = None,
) -> Json:
    """Measure every subject on the same requests; see `Bench`. Returns: the content of `latency.json`."""
    bench = Bench(subjects, rows_by_view, config, config.threads or threads, left_out or {})
    return bench.run(on_progress).result()


def from_run(run: Path) -> tuple[list[Subject], dict[str, list[Row]], dict[str, str]]:
    """The models of a finished run, the rows of all its tests by view, and by name why a model is left out.

    Raises: UserError when the folder is no run, or holds no document teacher or no test records.
    """
    (subjects, left_out), records = find(run), run / "records"
    tests = [split for split in splits(records) if split.startswith("test.")]
    rows: list[Row] = [record.fields for split in tests for record in read_records(records, split)]
    if not rows:
        raise UserError("no test records to make requests from", where=str(records), do="name a finished run")
    return subjects, {subject.view: rows for subject in subjects}, left_out


def show(result: Json, console: Console) -> None:
    """Print a result as wide as the console: rows with what to know of them, factors, layouts, scenarios."""
    report = {"latency": result["rows"], FACTORS: result["factors"], "environment": {"bench": result["settings"]}}
    sheets = [latency_sheet(report), factors_sheet(report), layouts_sheet(report)]
    for sheet in (sheet for sheet in sheets if sheet.rows):
        console.print(rich_tables(sheet, console.width))
    for line in scenario_lines(result.get("scenarios", {})):
        console.print(line, markup=False, highlight=False)


def scenario_lines(scenarios: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[str]:
    """A line for each cell of each scenario: the model, the cell, its figures."""
    for name, found in scenarios.items():
        for one in found:
            figures = {key: value["value"] for key, value in one.items() if isinstance(value, Mapping)}
            told = "  ".join(f"{key} {_cell(value)}" for key, value in figures.items())
            yield f"{name}  {one['model']}  {one['kind']}  {told or one['left_out']}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the run named on the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=measure.__doc__)
    parser.add_argument("run", type=Path, help="folder of a finished run")
    parser.add_argument("--threads", type=int, help="processor threads; those of the run by default")
    parser.add_argument("--provider", choices=(AUTO, *NAMES), default=AUTO, help="what runs exported files")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="any setting: requests=100")
    parser.add_argument(
        "--scenario", action="append", choices=("single", "grid", "offline", "open"), default=[], help="may be repeated"
    )
    parser.add_argument("--aa", action="store_true", help="measure the reference against itself")
    parser.add_argument("--records", type=Path, metavar="FILE.parquet", help="keep one row for each request")
    parser.add_argument("--out", type=Path, help="write the result here as JSON")
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="latency-") as folder:
            measured = _bench_of(options, Path(folder)).run(_print_progress)
        result = measured.result()
        if options.records:
            write_requests(options.records, measured, record_ids(options.run))
    except DistillError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    if options.out:
        write_json(options.out, result)
    show(result, Console(soft_wrap=False))
    print(json.dumps({"ratios": ratios(result["rows"]), **result}, ensure_ascii=False))
    return 0


def _bench_of(options: argparse.Namespace, folder: Path) -> Bench:
    """The measurement that the command line asks for. Args: folder: for files that are made on the way."""
    run: Path = options.run
    found, rows_by_view, left_out = from_run(run)
    subjects, elsewhere = placed(found, options.provider)
    stored = read_run(run)["config"]
    threads = {"threads": options.threads} if options.threads else {}
    further = [name for name in dict.fromkeys(options.scenario) if name != "single"]
    asked = {**overrides(options.set), **threads, **({"scenarios": further} if options.scenario else {})}
    config = parse(BenchConfig, {**stored.get("bench", {}), **asked}, str(run), "bench")
    if options.aa:
        subjects, elsewhere = against_itself(subjects), {}
        left_out = {}
    else:
        subjects, unmade = with_variants(subjects, config, folder)
        elsewhere = {**elsewhere, **unmade}
    budget = config.threads or stored.get("threads") or os.cpu_count() or 1
    return Bench(subjects, rows_by_view, config, budget, {**left_out, **elsewhere}, options.records is not None)


def _print_progress(done: int, total: int, name: str) -> None:
    if done < total:
        print(f"[{done + 1}/{total}] {name}", file=sys.stderr)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if value < 100 else f"{value:.0f}"
    return "-" if value is None else str(value)


if __name__ == "__main__":
    raise SystemExit(main())
