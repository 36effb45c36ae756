"""Every figure and test that needs a card, in one command of under nine minutes, without a network.

`python -m benchmarks.gpu --wheels FOLDER --work FOLDER` makes an environment of the wheels over what the machine has,
and runs the parts one after another, each in a process that is ended when its time is over. What is done with the same
card, libraries and sources is kept, so the same command goes on where it was stopped. Each part's figures go to
`benchmarks/results/gpu/PART.json`, from which `python -m benchmarks.publish` makes docs/gpu.md.

`--device cpu --tiny` tries every part on the processor in seconds. `pack OUT` and `unpack PIECES INTO` carry
repository, wheels, data and encoder to a machine in pieces. A machine without a card ends with exit code 2 before
anything is installed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.gpu.card import require_card
from benchmarks.gpu.job import LAYERS_AND_WIDTHS, ROOT, Job
from benchmarks.gpu.pack import MOST_MB, pack, unpack
from benchmarks.gpu.parts import PARTS, chosen
from benchmarks.gpu.running import Budget, run_parts, summary
from benchmarks.gpu.wheels import environment, lacking, sees_card
from distill.core.errors import DistillError, UserError
from distill.core.files import Json

_MINUTES = 8.5
_INSIDE = "DISTILL_GPU_KIT_SPENT"  # seconds so far, for the process that the kit starts in its own environment
_FINE = ("done", "kept", "absent")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code: 1 where a part failed or had no time."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    verbs = {"pack": _pack, "unpack": _unpack}
    try:
        if given and given[0] in verbs:
            return verbs[given[0]](given[1:])
        return _run(_parser().parse_args(given), given)
    except DistillError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def _run(options: argparse.Namespace, given: Sequence[str]) -> int:
    begun, parts, work = time.monotonic(), chosen(options.parts), options.work.resolve()
    folders = {name: path and path.resolve() for name, path in (("data", options.data), ("encoder", options.encoder))}
    job = Job(work, options.device, options.tiny, threads=options.threads, **folders)
    if options.dry_run:
        print("\n".join(_planned(job, options)))
        return 0
    if options.tiny and options.device == "cuda" and not options.results:
        raise UserError("figures of a trial are none", where="--tiny", do="give --results, a folder of its own")
    machine = require_card() if options.device == "cuda" else {"card": None}
    if options.wheels and _INSIDE not in os.environ:
        python = environment(options.wheels.resolve(), work / "environment")
        return _inside(python, given, time.monotonic() - begun)
    _require_libraries(options)
    kept = ROOT / "benchmarks" / "results" / "gpu" if options.device == "cuda" else work / "trial"
    results, spent = options.results or kept, float(os.environ.get(_INSIDE, 0))
    outcomes = run_parts(parts, job, machine, results, Budget(60 * options.minutes - spent))
    print("\n".join(summary(outcomes, results)))
    print(json.dumps({"parts": outcomes}))
    return 0 if all(outcome in _FINE for outcome in outcomes.values()) else 1


def _inside(python: Path, given: Sequence[str], spent: float) -> int:
    """The same command in the environment that was made. Args: spent: seconds that this took, of the same budget."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environ = {**os.environ, _INSIDE: f"{spent:.1f}", "PYTHONPATH": path}
    return subprocess.run([str(python), "-P", "-m", "benchmarks.gpu", *given], env=environ, check=False).returncode


def _require_libraries(options: argparse.Namespace) -> None:
    """Check that this Python has what every part needs. Raises: UserError."""
    do = "put their wheels into the folder of --wheels"
    if missing := lacking(Path(sys.executable)):
        raise UserError("packages are missing", where=str(sys.executable), found=", ".join(missing), do=do)
    if options.device == "cuda" and not sees_card(Path(sys.executable)):
        raise UserError("PyTorch uses no card here", where=str(sys.executable), do="bring a CUDA build: " + do)


def _planned(job: Job, options: argparse.Namespace) -> list[str]:
    lines, left = [], options.minutes
    for name, part in chosen(options.parts).items():
        needs = ", ".join(part.missing(job))
        minutes = max(0.0, left) if part.last else min(part.minutes, max(0.0, left))
        left -= 0 if needs else minutes
        lacking = f" (missing: {needs})" if needs else ""
        lines.append(f"{name:<10} {'not now' if needs else f'at most {minutes:.1f} min':<16} {part.title}{lacking}")
    return [*lines, f"in all at most {options.minutes:g} min, in {job.work}", *_not_ready(job, options)]


def _not_ready(job: Job, options: argparse.Namespace) -> list[str]:
    found: Json = {}
    try:
        found = require_card() if job.device == "cuda" else {"card": "none: the processor"}
    except UserError as error:
        return [f"missing: {error.brief}"]
    without = lacking(Path(sys.executable)) if options.wheels is None else []
    there = options.wheels is None or any(options.wheels.glob("*.whl"))
    lines = [f"card: {found['card']}", *([] if there else [f"missing: wheels in {options.wheels}"])]
    return [*lines, *([f"missing: {', '.join(without)}"] if without else [])]


def _pack(given: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu pack", description=pack.__doc__)
    parser.add_argument("out", type=Path)
    for name in ("wheels", "data", "encoder"):
        parser.add_argument(f"--{name}", type=Path, help="a folder that travels too, under this name")
    parser.add_argument("--exports", type=Path, metavar="WORK", help="the exported files of a work folder travel too")
    parser.add_argument("--most-mb", type=int, default=MOST_MB, help="size of a piece, in 10^6 bytes")
    options = parser.parse_args(given)
    named = {name: getattr(options, name) for name in ("wheels", "data", "encoder")}
    folders = {name: path for name, path in named.items() if path} | _exports(options.exports)
    pieces = pack(ROOT, folders, options.out, options.most_mb)
    size = sum(path.stat().st_size for path in pieces)
    print(f"{len(pieces)} pieces, {size / 1e6:.1f} MB, in {options.out}")
    return 0


def _exports(work: Path | None) -> dict[str, Path]:
    """Of a work folder, what older libraries cannot make: exported files, and the model that they are of."""
    if work is None:
        return {}
    layers, width = LAYERS_AND_WIDTHS[-1]
    shape = f"{layers}x{width}"
    return {f"work/{place}": work / place for place in (f"exports/{shape}", f"inputs/{shape}/card")}


def _unpack(given: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu unpack", description=unpack.__doc__)
    parser.add_argument("pieces", type=Path)
    parser.add_argument("into", type=Path)
    options = parser.parse_args(given)
    print(f"{', '.join(unpack(options.pieces, options.into))}: in {options.into}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    add = parser.add_argument
    add("--work", type=Path, required=True, help="folder for inputs, environment, logs; keep it, to go on")
    add("--wheels", type=Path, help="folder of wheels; without it, this Python as it is")
    add("--parts", nargs="+", default=[], metavar="PART", help=f"of {', '.join(PARTS)}; default: all")
    add("--minutes", type=float, default=_MINUTES, help="of all parts together")
    add("--data", type=Path, help="folder with the raw data sets, for the tables of quality")
    add("--encoder", type=Path, help="Hugging Face folder to start from, likewise")
    add("--threads", type=int, default=os.cpu_count() or 1, help="of the processor")
    add("--device", choices=("cuda", "cpu"), default="cuda")
    add("--tiny", action="store_true", help="models of two layers and few rows: whether each part works")
    add("--results", type=Path, help="folder of the figures; by default the repository's, of a trial WORK/trial")
    add("--dry-run", action="store_true", help="print parts, minutes and what is missing; make nothing")
    return parser


if __name__ == "__main__":
    sys.exit(main())
