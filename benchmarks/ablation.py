"""What each ingredient is worth: a base run of a data set, then runs with one ingredient on, all at equal budget.

`python -m benchmarks.ablation wdc_products --data FOLDER --encoder FOLDER --student 4L_trunc` runs the set's project
at its defaults, without gold-only twins, then once for each entry of `benchmarks/ingredients.yaml`. No student takes
more steps than that of the base run took. Every run is below `--work` and goes on where it ended; it begins with the
base run's finished steps, so that only what an ingredient changes is made again. The result is written as each run
ends, to `benchmarks/results/NAME.json`: differences to the base run's student, paired, with intervals, and hours. A
run that fails is named in it and the others go on; the command ends with 1 then.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.ablation_summary import Cell, base_of, cell_of, kept_cells, left_out, outcome_file
from benchmarks.commands import run_logged
from benchmarks.datasets import PROJECTS, data_set, prepare
from benchmarks.ingredients import Ingredient, Setting, chosen, read_ingredients
from distill.core.config import load_yaml
from distill.core.errors import DistillError, UserError, unknown_name
from distill.core.files import Json, read_object, remove, write_json
from distill.core.folders import link_folder
from distill.core.manifest import MANIFEST

_ROOT = Path(__file__).resolve().parents[1]
_BASE = "base"


@dataclass(frozen=True)
class Bench:
    """One data set of the ablation.

    Attributes: folder: the set's own, below the work folder. root: `data.root`. students: in each run. seeds: how many.
        distill: the checkout whose distill runs.
    """

    dataset: str
    folder: Path
    root: Path
    encoder: Path
    students: tuple[str, ...]
    seeds: int
    distill: Path

    @property
    def file(self) -> Path:
        """The project file."""
        return PROJECTS / f"{data_set(self.dataset).project}.yaml"

    def run(self, name: str) -> Path:
        """The run folder of a cell."""
        return self.folder / "runs" / name

    def make(self, name: str, sets: Sequence[str] = (), further: Sequence[str] = ()) -> str | None:
        """Make a cell's run, or the rest of it; returns the error that it ended with, if it did."""
        run = self.run(name)
        given = [f"data.root={self.root}", "export=[]", "controls.gold_twins=false"]
        given += [f"seeds={list(range(1, self.seeds + 1))}"] if self.seeds > 1 else []
        options = [part for line in (*given, *sets) for part in ("--set", line)]
        students = [part for student in (*self.students, *further) for part in ("--student", student)]
        command = [sys.executable, "-P", "-m", "distill", "evaluate", "--config", str(self.file), "--out", str(run)]
        line = [*command, *options, "--checkpoint", str(self.encoder), *students]
        log = self.folder / "logs" / f"{name}.log"
        outcome_file(run).unlink(missing_ok=True)  # cut off, it has not ended as it did the last time
        return run_logged(f"{self.dataset} {name}", line, self.distill, log, outcome_file(run))


def begin_with(base: Path, run: Path) -> None:
    """Let a run that is not there yet begin with the finished artifacts of another one, linked, not copied."""
    if run.exists():
        return
    begun = run.with_name(f"{run.name}.begun")
    remove(begun)
    for folder in sorted(path.parent for path in base.rglob(MANIFEST)):
        link_folder(folder, begun / folder.relative_to(base))
    begun.mkdir(parents=True, exist_ok=True)
    begun.rename(run)


def cells(bench: Bench, ingredients: Mapping[str, Ingredient], *, run: bool) -> Iterator[tuple[Json, list[str]]]:
    """The set as it is after the base run, then after each ingredient's, each with the error that the run ended with.

    Args: run: False only looks at what is there.
    """
    error = bench.make(_BASE) if run else None
    found = {"name": bench.dataset, "title": data_set(bench.dataset).title, "seeds": bench.seeds}
    base = base_of(bench.run(_BASE), bench.students)
    rows: list[Json] = []
    yield {**found, "base": base, "cells": rows}, [error] if error else []
    if base["status"] != "done":
        return
    project = load_yaml(bench.file)
    setting = _setting(bench, project, base)
    for name, ingredient in ingredients.items():
        missing, cell = ingredient.missing(project), Cell(name, ingredient.words, ingredient.overrides(setting))
        error = _make_cell(bench, ingredient, setting, cell) if run and not missing else None
        made = left_out(cell, missing) if missing else cell_of(cell, bench.run(name), bench.run(_BASE), base)
        rows.append(made)
        yield {**found, "base": base, "cells": rows}, [error] if error else []


def _make_cell(bench: Bench, ingredient: Ingredient, setting: Setting, cell: Cell) -> str | None:
    begin_with(bench.run(_BASE), bench.run(cell.name))
    ceilings = [f"students.{name}.training.ceiling_steps={steps}" for name, steps in setting.steps.items()]
    return bench.make(cell.name, [*ceilings, *cell.sets], ingredient.further(setting))


def _setting(bench: Bench, project: Mapping[str, Any], base: Json) -> Setting:
    teachers, entries = project.get("teachers") or {_BASE: {}}, project.get("students") or {}
    steps = {name: base["students"][name]["steps"] for name in bench.students}
    return Setting(next(iter(teachers)), {name: entries.get(name) or {} for name in bench.students}, steps)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    options = _parser().parse_args(arguments)
    target, errors = options.results / f"{options.name}.json", []
    try:
        ingredients = chosen(options.ingredient, read_ingredients(options.ingredients))
        _require_seeds(options.seeds)
        benches = [_bench(name, options) for name in options.datasets]
        for bench in benches:
            for found, failed in cells(bench, ingredients, run=options.run):
                _write(target, found, options)
                errors += failed
    except DistillError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print("\n".join([*errors, f"written: {target}"]))
    print(json.dumps({"failed": [error.partition(":")[0] for error in errors]}))
    return 1 if errors else 0


def _write(target: Path, found: Json, options: argparse.Namespace) -> None:
    """Put a set into the result; what it holds of other sets, and of others' ingredients on an equal base, stays."""
    sets = read_object(target).get("sets", [])
    earlier = next((one for one in sets if one["name"] == found["name"]), None)
    merged = {**found, "cells": kept_cells(earlier, found)}
    names = [one["name"] for one in sets]
    rows = [merged if one["name"] == found["name"] else one for one in sets]
    document = {"kind": "ablation", "title": options.title, "command": _shown(options)}
    write_json(target, {**document, "sets": rows if found["name"] in names else [*rows, merged]})


def _require_seeds(seeds: int) -> None:
    if seeds < 1:
        raise UserError("at least one seed is needed", where="--seeds", found=seeds, do="give 1 or more")


def _bench(name: str, options: argparse.Namespace) -> Bench:
    folder, chosen_set = (options.work / name).resolve(), data_set(name)
    root = prepare(name, options.data, folder / "data") if options.run else folder / "data"
    if not options.encoder.is_dir():
        raise UserError("no such encoder", where="--encoder", found=options.encoder, do="give a Hugging Face folder")
    known = list(load_yaml(PROJECTS / f"{chosen_set.project}.yaml").get("students") or {})
    for student in options.student:
        if student not in known:
            raise unknown_name("student", student, known, f"--student, {name}")
    students = tuple(options.student or known[:1])
    encoder, distill = options.encoder.resolve(), options.distill_root.resolve()
    return Bench(name, folder, root, encoder, students, options.seeds, distill)


def _shown(options: argparse.Namespace) -> str:
    """The command as anybody may repeat it, with names for folders; of a result made in parts, its last part."""
    flags = [f"--student {name}" for name in options.student]
    flags += [f"--seeds {options.seeds}"] if options.seeds > 1 else []
    return " ".join(["python -m benchmarks.ablation SET… --data DATA --encoder ENCODER", *flags])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ablation", description=__doc__)
    add = parser.add_argument
    add("datasets", nargs="+", metavar="SET", help="one or more sets of benchmarks/datasets.py")
    add("--data", type=Path, required=True, help="folder with the raw data sets")
    add("--encoder", type=Path, required=True, help="Hugging Face folder to start from")
    add("--student", action="append", default=[], metavar="NAME", help="of the project; default: its first")
    add("--ingredient", action="append", default=[], metavar="NAME", help="of the list; default: all")
    add("--seeds", type=int, default=1, metavar="N", help="training seeds 1 to N of every run")
    add("--work", type=Path, default=Path("runs/ablation"), help="folder for derived files and runs")
    add("--run", action=argparse.BooleanOptionalAction, default=True, help="--no-run: only summarise")
    add("--ingredients", type=Path, default=_ROOT / "benchmarks" / "ingredients.yaml", help="the list")
    add("--distill-root", type=Path, default=_ROOT, help="checkout whose distill runs")
    add("--name", default="ablation", help="of the result's file")
    add("--title", default="Ingredients, each switched on alone")
    add("--results", type=Path, default=_ROOT / "benchmarks" / "results", help="folder of the result's file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
