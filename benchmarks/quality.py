"""Whether defaults hold: runs of `distill` on public data sets, a grid of plain fine-tunings and gold-only twins.

`python -m benchmarks.quality clinc150 home_depot --data FOLDER --encoder FOLDER` prepares each set, runs
`distill evaluate` on it with nothing set but paths, trains the same encoder six times by a plain loop, and writes what
came of it to `benchmarks/results/NAME.json`. Finished runs are kept, so a second start goes on where the first ended.
`--distill-root` runs another checkout's distill on the same rows, `--baseline` puts its summary next to the new one,
`--no-run` only summarises what the work folder holds, `--add` keeps the other sets of the result that is there. Ends
with one JSON line that holds `ratios`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.commands import run_logged
from benchmarks.datasets import DATA_SETS, PROJECTS, data_set, prepare
from benchmarks.quality_summary import outcome_file, plain_rows, ratios, summarise, unmet
from distill.core.errors import DistillError, UserError
from distill.core.files import Json, read_json, write_json

RATES, EPOCHS, GRID_SEED = (3e-5, 8e-5), (3, 6, 12), 1
_TITLE = "Defaults on public data sets"
_ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Job:
    """One data set of one comparison.

    Attributes: name: of the comparison. folder: the set's own, below the work folder. root: `data.root`. grid: whether
        plain fine-tunings belong to it. distill: the checkout whose distill runs.
    """

    dataset: str
    name: str
    folder: Path
    root: Path
    encoder: Path
    grid: bool
    distill: Path
    students: tuple[str, ...] = ()

    @property
    def run(self) -> Path:
        """The run folder."""
        return self.folder / "runs" / self.name

    def distill_command(self, verb: str) -> list[str]:
        """The command line of a verb; nothing is set but paths."""
        project = PROJECTS / f"{data_set(self.dataset).project}.yaml"
        sets = ["--set", f"data.root={self.root}", "--set", "export=[]", "--checkpoint", str(self.encoder)]
        students = [part for name in self.students for part in ("--student", name)]
        command = [sys.executable, "-P", "-m", "distill", verb, "--config", str(project), "--out", str(self.run)]
        return [*command, *sets, *students]

    def grid_commands(self) -> list[list[str]]:
        """One command for each plain fine-tuning of the grid."""
        start = [sys.executable, "-P", "-m", "benchmarks.plain_fine_tuning", str(self.run), str(self.encoder)]
        return [
            [*start, "--rate", str(rate), "--epochs", str(epochs), "--seed", str(GRID_SEED), "--out", str(out)]
            for rate in RATES
            for epochs in EPOCHS
            for out in [self.folder / "grid" / f"rate{rate:g}-epochs{epochs}.json"]
        ]


def run_all(jobs: Sequence[Job], workers: int) -> list[str]:
    """Prepare, then every run and every plain fine-tuning, `workers` at a time; returns the errors.

    A failed gate is a result, not an error.
    """
    errors = [error for job in jobs if (error := _call(job, "audit", job.distill_command("audit"), job.distill))]
    with ThreadPoolExecutor(workers) as pool:
        tasks = [partial(_evaluate, job) for job in jobs]
        for job in jobs:
            if job.grid:
                commands = job.grid_commands()
                tasks += [partial(_call, job, f"grid-{index}", line, _ROOT) for index, line in enumerate(commands)]
        errors += [error for error in pool.map(lambda task: task(), tasks) if error]
    return errors


def _evaluate(job: Job) -> str | None:
    return _call(job, "evaluate", job.distill_command("evaluate"), job.distill, keep=outcome_file(job.run))


def _call(job: Job, part: str, command: list[str], root: Path, keep: Path | None = None) -> str | None:
    """Run a command with its output in a log file; returns the error, if it ended with one.

    Args: root: first on its module path. keep: where exit code and last lines are stored.
    """
    return run_logged(f"{job.dataset} {part}", command, root, job.folder / "logs" / f"{job.name}-{part}.log", keep)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        jobs = [_job(name, options) for name in options.datasets]
        errors = run_all(jobs, options.jobs) if options.run else []
        before = read_json(options.baseline)["sets"] if options.baseline else []
        target = options.results / f"{options.name}.json"
        new: Json = {"kind": "quality", "title": _TITLE, "command": _shown(options), "sets": [], "before": before}
        held: Json = read_json(target) if options.add else new
        sets = [summarise(job.dataset, job.run, _plain(job, held)) for job in jobs]
        title = options.title or held["title"]
        write_json(target, {**held, "title": title, "sets": _with(held["sets"], sets)})
    except DistillError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print("\n".join([*errors, *unmet(sets), f"written: {target}"]))
    print(json.dumps({"ratios": ratios(sets)}))
    return 1 if errors else 0


def _plain(job: Job, held: Json) -> list[Json]:
    """The plain fine-tunings of a set: its own, or those in the result that it is added to."""
    if job.grid:
        return plain_rows(job.folder / "grid")
    return next((found["grid"] for found in held["sets"] if found["name"] == job.dataset), [])


def _with(held: Sequence[Json], sets: Sequence[Json]) -> list[Json]:
    """Sets of a result, new ones in place of those of their names."""
    return list({found["name"]: found for found in [*held, *sets]}.values())


def _job(name: str, options: argparse.Namespace) -> Job:
    folder = (options.work / name).resolve()
    chosen = data_set(name)
    root = prepare(name, options.data, folder / "data") if options.run else folder / "data"
    grid = chosen.grid if options.grid is None else options.grid
    encoder, distill = _encoder(name, options.encoder), options.distill_root.resolve()
    return Job(name, options.name, folder, root, encoder, grid, distill, _of_set(name, options.student))


def _encoder(name: str, given: Sequence[str]) -> Path:
    """The encoder of a set, the last one named for it. Raises: UserError without one that is a folder."""
    found = _of_set(name, given)
    if not found or not Path(found[-1]).is_dir():
        raise UserError("no encoder for the data set", where=name, found=found[-1:], do="give --encoder FOLDER")
    return Path(found[-1]).resolve()


def _of_set(name: str, given: Sequence[str]) -> tuple[str, ...]:
    """What is given for a set: the values of `NAME=VALUE` with its name, or else those without any set's name."""
    pairs = [value.partition("=") for value in given]
    own = tuple(value for dataset, _, value in pairs if dataset == name)
    plain = tuple("".join(pair) for pair in pairs if pair[0] not in DATA_SETS)
    return own or plain


def _shown(options: argparse.Namespace) -> str:
    """The command as anybody may repeat it, with names for folders."""
    flags = [f"--student {name}" for name in options.student]
    flags += [] if options.grid is None else ["--grid" if options.grid else "--no-grid"]
    return " ".join(["python -m benchmarks.quality", *options.datasets, "--data DATA --encoder ENCODER", *flags])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    add = parser.add_argument
    add("datasets", nargs="+", metavar="DATASET", help=f"one or more of {', '.join(DATA_SETS)}")
    add("--data", type=Path, required=True, help="folder with the raw data sets")
    add("--encoder", action="append", default=[], metavar="[DATASET=]FOLDER", help="Hugging Face folder to start from")
    add("--work", type=Path, default=Path("runs/quality"), help="folder for derived files, runs and the grid")
    add("--student", action="append", default=[], metavar="[DATASET=]NAME", help="of the project; default: all")
    add("--grid", action=argparse.BooleanOptionalAction, help="the plain fine-tunings; by default as the set says")
    add("--run", action=argparse.BooleanOptionalAction, default=True, help="--no-run: only summarise")
    add("--jobs", type=int, default=1, help="processes at a time")
    add("--distill-root", type=Path, default=_ROOT, help="checkout whose distill runs")
    add("--name", default="quality", help="of the runs and of the result's file")
    add("--title", help="of the result; by default the one that it has")
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--add", action="store_true", help="to the result: keep other sets, and grids that are not run")
    other.add_argument("--baseline", type=Path, help="an earlier result, shown as before")
    add("--results", type=Path, default=_ROOT / "benchmarks" / "results", help="folder of the result's file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
