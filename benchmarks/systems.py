"""Every kind of system in one table: what is better than plain cross-entropy, and by how much.

`python -m benchmarks.systems --data FOLDER --encoder FOLDER --view card` prepares three grades of WDC Products and runs
`distill evaluate` on `benchmarks/projects/wdc_systems.yaml`: objectives, phases, adapters, small families, words,
mixtures and folds as teachers that read the same view, three seeds each. `--student` lets one student of three layers
learn from each as well. Without `--data` the same systems are laid over the embedded project and its encoder, phases
left out, for it has no old labels. The run goes on where it ended; its figures go to
`benchmarks/results/systems_VIEW.json`, or `systems_generated_VIEW.json`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from benchmarks.commands import run_logged
from benchmarks.datasets import GRADED_OFFERS, PROJECTS, prepare_set
from benchmarks.publish import About, store
from distill.core.config import load_yaml
from distill.core.errors import DistillError, UserError, unknown_name
from distill.core.files import write_text
from distill.demo.keeping import keep

NAME, FIRST = GRADED_OFFERS.project, "onetarget"
GENERATED, WITHOUT_OLD_LABELS = "generated", ("old_then_new",)
_ROOT = Path(__file__).resolve().parents[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    options = _parser().parse_args(arguments)
    name, title = (NAME, GRADED_OFFERS.title) if options.data else (GENERATED, "The generated world")
    run = (options.work / name / options.view).resolve()
    try:
        teachers = _chosen(options)
        given = [*_on_offers(options), *_asked(options, teachers)] if options.data else _on_generated(options, teachers)
        command = [sys.executable, "-P", "-m", "distill", "evaluate", "--out", str(run), *given]
        if error := run_logged(f"{name} {options.view}", command, _ROOT, run.with_suffix(".log")):
            print(error, file=sys.stderr)
            return 1
        stored = f"systems_{options.view}" if options.data else f"systems_{GENERATED}_{options.view}"
        about = About(stored, f"{title}: systems that read the {options.view}", _shown(options), "systems")
        print(f"written: {store(run, options.results, about)}")
    except DistillError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps({"teachers": list(teachers)}))
    return 0


def _chosen(options: argparse.Namespace) -> dict[str, Any]:
    """The entries of those asked for, behind the one that all are compared with.

    Raises: UserError for one that the project lacks.
    """
    known = load_yaml(PROJECTS / f"{NAME}.yaml")["teachers"]
    left_out = () if options.data else WITHOUT_OLD_LABELS
    for name in options.teacher:
        if name not in known:
            raise unknown_name("system", name, known, "--teacher")
    named = [name for name in known if not options.teacher or name in options.teacher or name == FIRST]
    return {name: known[name] for name in named if name not in left_out}


def _on_offers(options: argparse.Namespace) -> list[str]:
    if options.encoder is None or not options.encoder.is_dir():
        raise UserError("no such encoder", where="--encoder", found=options.encoder, do="give a Hugging Face folder")
    root = prepare_set(GRADED_OFFERS, options.data, (options.work / "data").resolve())
    project, encoder = PROJECTS / f"{NAME}.yaml", options.encoder.resolve()
    return ["--config", str(project), "--checkpoint", str(encoder), "--set", f"data.root={root}"]


def _on_generated(options: argparse.Namespace, teachers: Mapping[str, Any]) -> list[str]:
    """The embedded project with the systems as its teachers, each fitted until it has learned, and no students."""
    world = keep((options.work / GENERATED / "project").resolve(), "demo")
    alone = {"teachers": teachers, "students": {}, "labels": FIRST, "export": []}
    against = {"controls": {"card_teacher": False}, "quality": {"baseline": FIRST}}
    project = world.with_name("systems.yaml")
    write_text(project, yaml.safe_dump({**load_yaml(world), **alone, **against}, allow_unicode=True))
    return ["--config", str(project), *_asked(options, teachers)]


def _asked(options: argparse.Namespace, teachers: Iterable[str]) -> list[str]:
    """The systems, their view and seeds, and the students that learn from each."""
    sets = [f"seeds={list(range(1, options.seeds + 1))}"]
    sets += [f"teachers.{name}.view={options.view}" for name in teachers]
    students = {f"3L_of_{name}": name for name in teachers} if options.student else {}
    sets += [
        f"students.{student}={{preset: 3L, source: {FIRST}, learns_from: [{name}]}}"
        for student, name in students.items()
    ]
    named = [part for name in teachers for part in ("--teacher", name)]
    named += [part for student in students for part in ("--student", student)]
    return [*named, *(part for line in sets for part in ("--set", line))]


def _shown(options: argparse.Namespace) -> str:
    """The command as anybody may repeat it, with names for folders."""
    parts = ["python -m benchmarks.systems", *(["--data DATA --encoder ENCODER"] if options.data else [])]
    parts += [f"--view {options.view}", *(f"--teacher {name}" for name in options.teacher)]
    parts += ["--student"] if options.student else []
    return " ".join([*parts, f"--seeds {options.seeds}"])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.systems", description=__doc__)
    add = parser.add_argument
    add("--data", type=Path, help="folder with the raw data sets; without it, the embedded project")
    add("--encoder", type=Path, help="Hugging Face folder to start from, with --data")
    add("--view", choices=("card", "document"), default="card", help="what every system reads")
    add("--teacher", action="append", default=[], metavar="NAME", help="of the project; default: all")
    add("--student", action="store_true", help="train one student of three layers from each")
    add("--seeds", type=int, default=3, metavar="N", help="training seeds 1 to N")
    add("--work", type=Path, default=Path("runs/systems"), help="folder for derived files and runs")
    add("--results", type=Path, default=_ROOT / "benchmarks" / "results", help="folder of the result's file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
