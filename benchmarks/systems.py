"""Every kind of system in one table on real data: what is better than plain cross-entropy, and by how much.

`python -m benchmarks.systems --data FOLDER --encoder FOLDER --view card` prepares three grades of WDC Products and runs
`distill evaluate` on `benchmarks/projects/wdc_systems.yaml`: objectives, phases, adapters, small families, words,
mixtures and folds as teachers that read the same view, three seeds each. `--student` lets one student of three layers
learn from each as well. The run goes on where it ended; its figures go to `benchmarks/results/systems_VIEW.json`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.commands import run_logged
from benchmarks.datasets import GRADED_OFFERS, PROJECTS, prepare_set
from benchmarks.publish import About, store
from distill.core.config import load_yaml
from distill.core.errors import DistillError, UserError, unknown_name

NAME, FIRST = GRADED_OFFERS.project, "onetarget"
_ROOT = Path(__file__).resolve().parents[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        teachers = _chosen(options.teacher)
        run = (options.work / options.view).resolve()
        root = prepare_set(GRADED_OFFERS, options.data, (options.work / "data").resolve())
        command = [sys.executable, "-P", "-m", "distill", *_arguments(options, teachers, run, root)]
        if error := run_logged(f"{NAME} {options.view}", command, _ROOT, options.work / f"{options.view}.log"):
            print(error, file=sys.stderr)
            return 1
        title = f"{GRADED_OFFERS.title}: systems that read the {options.view}"
        about = About(f"systems_{options.view}", title, _shown(options))
        print(f"written: {store(run, options.results, about)}")
    except DistillError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps({"teachers": teachers}))
    return 0


def _chosen(names: Sequence[str]) -> list[str]:
    """Those asked for, behind the one that all are compared with. Raises: UserError for one that the project lacks."""
    known = list(load_yaml(PROJECTS / f"{NAME}.yaml")["teachers"])
    for name in names:
        if name not in known:
            raise unknown_name("system", name, known, "--teacher")
    return [name for name in known if not names or name in names or name == FIRST]


def _arguments(options: argparse.Namespace, teachers: Sequence[str], run: Path, root: Path) -> list[str]:
    if not options.encoder.is_dir():
        raise UserError("no such encoder", where="--encoder", found=options.encoder, do="give a Hugging Face folder")
    sets = [f"data.root={root}", f"seeds={list(range(1, options.seeds + 1))}"]
    sets += [f"teachers.{name}.view={options.view}" for name in teachers]
    students = [f"3L_of_{name}" for name in teachers] if options.student else []
    sets += [
        f"students.{student}={{preset: 3L, source: {FIRST}, learns_from: [{name}]}}"
        for student, name in zip(students, teachers, strict=False)
    ]
    named = [part for name in teachers for part in ("--teacher", name)]
    named += [part for student in students for part in ("--student", student)]
    project, encoder = PROJECTS / f"{NAME}.yaml", options.encoder.resolve()
    start = ["evaluate", "--config", str(project), "--out", str(run), "--checkpoint", str(encoder), *named]
    return [*start, *(part for line in sets for part in ("--set", line))]


def _shown(options: argparse.Namespace) -> str:
    """The command as anybody may repeat it, with names for folders."""
    parts = ["python -m benchmarks.systems --data DATA --encoder ENCODER", f"--view {options.view}"]
    parts += [f"--teacher {name}" for name in options.teacher]
    parts += ["--student"] if options.student else []
    return " ".join([*parts, f"--seeds {options.seeds}"])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.systems", description=__doc__)
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder with the raw data sets")
    add("--encoder", type=Path, required=True, help="Hugging Face folder to start from")
    add("--view", choices=("card", "document"), default="card", help="what every system reads")
    add("--teacher", action="append", default=[], metavar="NAME", help="of the project; default: all")
    add("--student", action="store_true", help="train one student of three layers from each")
    add("--seeds", type=int, default=3, metavar="N", help="training seeds 1 to N")
    add("--work", type=Path, default=Path("runs/systems"), help="folder for derived files and runs")
    add("--results", type=Path, default=_ROOT / "benchmarks" / "results", help="folder of the result's file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
