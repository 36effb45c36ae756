"""How fast a large pool is audited, in how much memory, and what it finds: `python -m benchmarks.audit --work FOLDER`.

Short records with near duplicates of known Jaccard index, at 0.8 to 0.95, and decoys, at 0.6 to 0.78, go through
`distill audit` in a process of its own. Recall and precision are those of the rows that it drops as near duplicates,
against what was planted; the leak check for near-duplicate cards is measured on test rows whose copies are in the pool.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.audit_records import DECOY, NEAR, write_project
from benchmarks.environment import environment
from distill.core.errors import DistillError, UserError
from distill.core.files import Json, read_json, write_json
from distill.core.intake.leaks.near import NearCard
from distill.core.record_store import read_columns

NAME = "audit"
ROWS = (100_000, 1_000_000)
_ROOT = Path(__file__).resolve().parents[1]
_ERROR_LINES, _MOST_MINUTES, _MOST_BYTES = 8, 10, 4 << 30


def measure(rows: int, work: Path, texts: Path | None) -> Json:
    """What the audit of a pool of so many rows took and found.

    Args: work: folder for records and run; both are gone afterwards. texts: as `benchmarks.audit_records.Words`.
    Raises: UserError when the audit fails.
    """
    folder = work / f"audit-{rows}"
    shutil.rmtree(folder, ignore_errors=True)
    project = write_project(folder, rows, texts)
    took = _audited(project, folder / "run")
    found = took | {"rows": rows, "rows_per_s": rows / took["seconds"], **_found(folder)}
    shutil.rmtree(folder)
    return found


def _audited(project: Path, run: Path) -> Json:
    """Seconds, processor seconds, peak resident bytes, and the machine's load, of one call of the command."""
    command = [sys.executable, "-P", "-m", "distill", "audit", "--config", str(project), "--out", str(run)]
    path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    log, loads, started = run.parent / "log.txt", [os.getloadavg()[0]], time.monotonic()
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, "PYTHONPATH": path})
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - started
    if process.returncode:
        found = "\n".join(log.read_text(encoding="utf-8").splitlines()[-_ERROR_LINES:])
        raise UserError("the audit ended without a result", where=str(project), found=found)
    memory = {"peak_bytes": 1024 * usage.ru_maxrss}
    cpu = {"cpu_seconds": usage.ru_utime + usage.ru_stime}
    return {"seconds": seconds, **cpu, **memory, "load": [*loads, os.getloadavg()[0]]}


def _found(folder: Path) -> Json:
    """Recall and precision of dropped pool rows and of leaked test rows."""
    planted: Mapping[str, Sequence[str | float]] = read_json(folder / "planted.json")
    kept = set(read_columns(folder / "run" / "records", "pool.web", ["id"]).column(0).to_pylist())
    near = {name for name, (kind, of, _) in planted.items() if kind == NEAR and of == "pool"}
    audit = read_json(folder / "run" / "audit" / "audit.json")
    dropped = audit["rows"]["by_source"]["pool.web"]["dropped"]["near_duplicate"]
    hits = len(near - kept)
    leaks = [leak["rows"] for leak in audit["leaks"] if leak["kind"] == NearCard.name]
    leaked = sum(kind == NEAR and of == "test" for kind, of, _ in planted.values())
    return {
        "planted": len(near),
        "decoys": sum(kind == DECOY for kind, *_ in planted.values()),
        "dropped": dropped,
        "recall": hits / len(near),
        "precision": hits / dropped if dropped else 0.0,
        "leaks_planted": leaked,
        "leaks_found": sum(leaks),
    }


def ratios(calls: Sequence[Json]) -> dict[str, float]:
    """Of the largest pool: recall, precision, and time and memory as shares of 10 minutes and 4 GiB."""
    last = max(calls, key=lambda call: call["rows"])
    shares = {"of_10_minutes": last["seconds"] / 60 / _MOST_MINUTES, "of_4_gib": last["peak_bytes"] / _MOST_BYTES}
    found = {"recall": last["recall"], "precision": last["precision"], **shares}
    return {name: round(value, 4) for name, value in found.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        calls = []
        for rows in options.rows:
            calls.append(measure(rows, options.work, options.texts))
            print(_line(calls[-1]), file=sys.stderr, flush=True)
        about = {"kind": NAME, "title": "Audit of large pools", "command": f"python -m benchmarks.{NAME} --work FOLDER"}
        result = {**about, "calls": calls, "ratios": ratios(calls), "environment": environment()}
        if options.results is not None:
            write_json(options.results / f"{NAME}.json", result)
    except DistillError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps({"ratios": result["ratios"]}))
    return 0


def _line(call: Json) -> str:
    load = " to ".join(f"{load:.1f}" for load in call["load"])
    return (
        f"{call['rows']} rows: {call['seconds'] / 60:.1f} minutes, {call['rows_per_s']:.0f} rows/s, "
        f"{call['cpu_seconds']:.0f} s of processors at a load of {load}, {call['peak_bytes'] / 1e9:.2f} GB, "
        f"recall {call['recall']:.4f}, precision {call['precision']:.4f}, "
        f"leaks {call['leaks_found']} of {call['leaks_planted']}"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{NAME}", description=__doc__)
    add = parser.add_argument
    add("--work", type=Path, required=True, help="folder of the records and the run, which are removed")
    add("--rows", type=int, nargs="+", default=ROWS, help="of the pools")
    add("--texts", type=Path, help="folder of data files, whose words the records are made of; else made-up ones")
    add("--results", type=Path, help="folder for the result's file; none: it is only printed")
    return parser


if __name__ == "__main__":
    sys.exit(main())
