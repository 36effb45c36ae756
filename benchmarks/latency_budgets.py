"""The best students of one data set within several bounds on latency, side by side.

    python -m benchmarks.latency_budgets wdc_products --ms 1 2 5 --data DATA --encoder FOLDER --student 3L --work W

goes on with the run that `benchmarks.quality` made in the same work folder: its teachers and labels are there already.
Each bound is one `distill bench --latency-budget`, which times candidates, trains those worth it and names the best
student by validation. The run's own students, which presets made, stand beside it. `--add` keeps the other bounds of
the stored result. The last line is JSON holding `ratios`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.commands import run_logged
from benchmarks.datasets import DATA_SETS, PROJECTS, data_set, prepare
from benchmarks.environment import environment
from benchmarks.latency_budget_tables import chosen
from benchmarks.publish import write_pages
from distill.core.errors import DistillError, UserError
from distill.core.files import Json, read_json, write_json
from distill.core.sealed import read_sealed

_ROOT = Path(__file__).resolve().parents[1]
_RUN, _FOUND = "quality", "budget.json"


def measure(options: argparse.Namespace) -> Json:
    """The content of a result of the kind `latency_budgets`, once every bound was searched.

    Returns: `budgets`, what each search found (see `RUN/budget.json`), with `presets`: of each student of the run its
        fastest file at the length of its view, whether that fits, and its quality on test.
    Raises: UserError for a search that ended with an error, where the work folder has no run, and as `prepare`.
    """
    folder = (options.work / options.dataset).resolve()
    run = folder / "runs" / _RUN
    if not (run / "report.json").is_file():
        do = f"first: python -m benchmarks.quality {options.dataset} --work {options.work}"
        raise UserError("no finished run to go on with", where=str(run), do=do)
    root = prepare(options.dataset, options.data, folder / "data")
    models = {model["name"]: model for model in read_sealed(run / "report.json")["models"]}
    students = [model for model in models.values() if model["role"] == "student"]
    budgets = []
    for bound in options.ms:
        log = folder / "logs" / f"budget-{bound:g}.log"
        if error := run_logged(f"{options.dataset} {bound:g} ms", _command(options, bound, run, root), _ROOT, log):
            raise UserError("a search ended with an error", where=str(log), found=error)
        found = read_sealed(run / _FOUND)
        budgets.append({**found, "presets": [_preset(found, student, models) for student in students]})
    return {
        "kind": "latency_budgets",
        "title": f"Students for a budget of latency: {data_set(options.dataset).title}",
        "environment": environment(),
        **_of(options, budgets),
    }


def with_bounds(options: argparse.Namespace, held: Json, found: Json) -> Json:
    """A stored result with what was found now in place of its own figures for these bounds, or beside them."""
    by_bound = {(one["percentile"], one["ms"]): one for one in [*held["budgets"], *found["budgets"]]}
    return {**found, **_of(options, [by_bound[bound] for bound in sorted(by_bound)])}


def _of(options: argparse.Namespace, budgets: Sequence[Json]) -> Json:
    return {"command": _told(options, budgets), "budgets": budgets, "ratios": ratios(budgets)}


def ratios(budgets: Sequence[Json]) -> Json:
    """Of each bound, such as `2 ms at p99`: the share of it that the named student takes on other requests, and its
    metric over the best preset's that fits too; None where there is none.
    """
    found = {}
    for one in budgets:
        best = chosen(one)
        taken = best["held_out"][one["percentile"]]["value"] / one["ms"] if best else None
        rivals = [preset["quality"]["value"] for preset in one["presets"] if preset["fits"]]
        over = best["test"][one["metric"]]["value"] / max(rivals) if best and rivals else None
        found[f"{one['ms']:g} ms at {one['percentile']}"] = {"share": taken, "over_preset": over}
    return found


def _preset(found: Json, student: Json, models: Mapping[str, Json]) -> Json:
    """How a student of the run did in the search: the candidate of its depth, at its view's length, that is fastest.

    Its quality is that of the file which is so served, or its own where the run has not measured that file.
    """
    longest = max(row["tokens"] for row in found["candidates"])
    alike = [row for row in found["candidates"] if (row["layers"], row["tokens"]) == (student["layers"], longest)]
    timed = [row for row in alike if "fits" in row]
    fastest = min(timed, key=lambda row: row[found["percentile"]]["value"], default=None)
    file = f"{student['name']}.{fastest['target']}" if fastest else ""
    measured = models.get(file, student)
    return {
        "name": measured["name"],
        "candidate": fastest["name"] if fastest else None,
        "ms": fastest[found["percentile"]] if fastest else None,
        "fits": bool(fastest and fastest["fits"]),
        "quality": measured["quality"][found["metric"]],
    }


def _command(options: argparse.Namespace, bound: float, run: Path, root: Path) -> list[str]:
    project = PROJECTS / f"{data_set(options.dataset).project}.yaml"
    sets = [f"data.root={root}", f"budget.train={options.train}", f"budget.threads={json.dumps(options.threads)}"]
    return [
        *(sys.executable, "-P", "-m", "distill", "bench", "--latency-budget", f"{bound:g}"),
        *("--percentile", options.percentile, "--config", str(project), "--out", str(run)),
        *(word for one in sets for word in ("--set", one)),
        *("--checkpoint", str(options.encoder.resolve())),
        *(word for name in options.student for word in ("--student", name)),
    ]


def _told(options: argparse.Namespace, budgets: Sequence[Json]) -> str:
    """The command as anybody may repeat it, with names for folders; once for each percentile and number of students."""
    asked: dict[tuple[str, int], list[str]] = {}
    for one in budgets:
        asked.setdefault((one["percentile"], one["most_trained"]), []).append(f"{one['ms']:g}")
    threads = sorted({row["threads"] for one in budgets for row in one["candidates"]})
    words = ["--threads", *map(str, threads), "--data", "DATA", "--encoder", "ENCODER"]
    words += [f"--student {name}" for name in options.student]
    start = f"python -m benchmarks.latency_budgets {options.dataset} {' '.join(words)}"
    own = (f"--ms {' '.join(ms)} --percentile {one} --train {most}" for (one, most), ms in asked.items())
    return f"{start} {'; with --add '.join(own)}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency_budgets", description=__doc__)
    add = parser.add_argument
    add("dataset", metavar="DATASET", help=f"one of {', '.join(DATA_SETS)}")
    add("--ms", type=float, nargs="+", required=True, help="the bounds, in milliseconds a request")
    add("--percentile", default="p99", help="of the requests: p50 or p99")
    add("--threads", type=int, nargs="+", default=[1], help="of the candidates")
    add("--train", type=int, default=3, help="students that each search trains, at most")
    add("--data", type=Path, required=True, help="folder with the raw data sets")
    add("--encoder", type=Path, required=True, help="Hugging Face folder that the run started from")
    add("--student", action="append", default=[], metavar="NAME", help="of the project; default: all")
    add("--work", type=Path, default=Path("runs/quality"), help="the work folder of benchmarks.quality")
    add("--store", help="name of the stored result; writes the pages again")
    add("--add", action="store_true", help="to the stored result: keep its other bounds")
    add("--root", type=Path, default=Path(), help="the repository's root")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        if options.add and not options.store:
            raise UserError("there is no result to add to", where="--add", do="name it with --store")
        target = options.root / "benchmarks" / "results" / f"{options.store}.json" if options.store else None
        held = read_json(target) if target and options.add else None
        result = measure(options)
        if held:
            result = with_bounds(options, held, result)
        if target:
            write_json(target, result)
            write_pages(options.root)
    except DistillError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps({"ratios": result["ratios"]}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
