"""How fast a student is trained, and how much memory its rows take.

`python -m benchmarks.training --against textbrewer --run RUN --peer-python PATH` times our whole (every row labelled
once, then three epochs) against TextBrewer's loop in its own environment, with the teacher in each step and with its
cached logits, and against our own loop with the teacher in each step: same rows, batches, models, threads, numbers. RUN
is one that `distill teach` has made. The loops take turns, `--rounds` times, so that what disturbs the machine meets
all alike; ratios are medians over the rounds. Each loop is a process of its own and is kept in `--work`, so an
interrupted measurement goes on. `python -m benchmarks.training --rows 1000000 --memory --layers 12 --width 768`
measures memory instead, of a student of twelve layers.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.environment import environment
from benchmarks.rounds import ratio
from benchmarks.training_inputs import Job, export
from benchmarks.training_loops import CELLS, JOB_FILE
from benchmarks.training_memory import Size, rows_take
from distill.core.config import overrides
from distill.core.errors import DistillError, UserError
from distill.core.files import Json, read_object, write_json
from distill.core.model_folder import layer_count

_RESULTS = Path(__file__).resolve().parent / "results"
_PEERS = Path(__file__).resolve().parent / "peers"
PEER_CELLS = ("textbrewer_online", "textbrewer_cached")
_NAME = "training_speed"
_ERROR_LINES = 8


def measure(job: Job, peer: Path, work: Path, rounds: int) -> Json:
    """The seconds of every cell in each round, those in `work` that were made from the same taken from there.

    Returns: `cells`: by name what its median round took (`seconds`, of ours also by part) and `rounds`, the seconds of
        each; `ratios`, see there.
    Raises: UserError for a run without a teacher, an interpreter without the peer, and a loop that fails.
    """
    inputs, digest = work / "inputs", job.digest
    if read_object(work / "inputs.json").get("digest") != digest:
        export(job, inputs)
        own = {**asdict(job), "run": str(job.run.resolve()), "teacher": str(job.teacher.resolve())}
        write_json(inputs / JOB_FILE, own)
        write_json(work / "inputs.json", {"digest": digest})
    timed: dict[str, list[Json]] = {cell: [] for cell in (*CELLS, *PEER_CELLS)}
    for number in range(1, rounds + 1):
        for cell, found in timed.items():
            file = work / "cells" / f"{cell}-{number}.json"
            kept = read_object(file)
            if kept.get("digest") != digest:
                print(f"round {number} of {rounds}: {cell} …", file=sys.stderr)
                kept = {"digest": digest, **_cell(cell, inputs, peer, job.threads)}
                write_json(file, kept)
            found.append({name: value for name, value in kept.items() if name != "digest"})
    seconds = {cell: np.array([float(one["seconds"]) for one in found]) for cell, found in timed.items()}
    return {"cells": {cell: _typical(found) for cell, found in timed.items()}, "ratios": ratios(seconds)}


def _typical(rounds: Sequence[Json]) -> Json:
    """The median round of a cell (of an even number the faster one of the middle), and the seconds of all."""
    ordered = sorted(rounds, key=lambda one: float(one["seconds"]))
    return {**ordered[(len(ordered) - 1) // 2], "rounds": [one["seconds"] for one in rounds]}


def ratios(seconds: Mapping[str, NDArray[np.float64]]) -> Json:
    """How many times as fast our whole is as each other loop: `value`, `low` and `high`, see `rounds.ratio`.

    Args: seconds: by cell, (rounds,).
    """
    others = {"total_vs_textbrewer_online": "textbrewer_online", "total_vs_textbrewer_cached": "textbrewer_cached"}
    others["vs_own_online"] = "own_online"
    found = {name: ratio(seconds[cell], seconds["own"]) for name, cell in others.items()}
    return {name: {part: round(value, 3) for part, value in one.items()} for name, one in found.items()}


def _cell(cell: str, inputs: Path, peer: Path, threads: int) -> Json:
    """One loop, in a process of its own."""
    if cell in CELLS:
        command = [sys.executable, "-P", "-m", "benchmarks.training_loops", str(inputs), cell]
    else:
        mode = cell.removeprefix("textbrewer_")
        command = [str(peer), str(_PEERS / "textbrewer_loop.py"), str(inputs), "--mode", mode]
    root, pools = str(_PEERS.parents[1]), dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    path = {"PYTHONPATH": root} if cell in CELLS else {}
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environ = {**variables, **pools, **path, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environ)
    except OSError as error:
        raise UserError("cannot run the peer", where=str(peer), found=error.strerror, do=_INSTALL) from None
    if done.returncode:
        found = "\n".join(done.stderr.strip().splitlines()[-_ERROR_LINES:])
        raise UserError(f"the loop '{cell}' ended without a result", where=command[0], found=found, do=_INSTALL)
    result: Json = json.loads(done.stdout.strip().splitlines()[-1])
    return result


_INSTALL = "install requirements/textbrewer.txt in the environment of --peer-python; cells that are done are kept"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        found = _memory(options) if options.memory else _speed(options)
    except DistillError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps(found))
    return 0


def _memory(options: argparse.Namespace) -> Json:
    with tempfile.TemporaryDirectory() as folder:
        return rows_take(options.rows, Size(options.words, options.layers, options.width), Path(folder))


def _speed(options: argparse.Namespace) -> Json:
    if options.run is None or options.peer_python is None:
        do = "give --run RUN, made by distill teach, and --peer-python PATH"
        raise UserError("nothing to measure against", where="--against textbrewer", do=do)
    if options.rounds < 1:
        raise UserError("nothing to measure", where="--rounds", found=options.rounds, do="give 1 or more")
    job = Job(
        run=options.run,
        teacher=options.run / "teachers" / options.teacher,
        layers=options.layers,
        rows=options.rows,
        epochs=options.epochs,
        threads=options.threads,
        view=options.view,
        settings=overrides(options.set),
    )
    found = measure(job, options.peer_python, options.work or options.run / "speed", options.rounds)
    about = {
        "kind": _NAME,
        "title": "Speed of training",
        "command": _shown(options),
        "rows": options.rows,
        "teacher_layers": layer_count(job.teacher),
        "layers": options.layers,
        "epochs": options.epochs,
        "threads": options.threads,
        "rounds": options.rounds,
        "settings": job.settings,
    }
    result = {**about, **found, "environment": environment()}
    write_json(options.results / f"{options.name}.json", result)
    return result


def _shown(options: argparse.Namespace) -> str:
    """The command as anybody may repeat it, with names for folders."""
    sizes = [
        f"--{name} {getattr(options, name)}" for name in ("teacher", "rows", "epochs", "layers", "threads", "rounds")
    ]
    settings = [f"--set {one}" for one in options.set]
    settings += [f"--name {options.name}"] if options.name != _NAME else []
    return " ".join(
        [
            "python -m benchmarks.training --against textbrewer --run RUN --peer-python PEER/bin/python",
            *sizes,
            *settings,
        ]
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    add = parser.add_argument
    add("--against", choices=["textbrewer"], default="textbrewer", help="the peer")
    add("--run", type=Path, help="a run with a fitted teacher")
    add("--teacher", default="base", help="name of the teacher in it")
    add("--view", default="card", help="what teacher and student read")
    add("--layers", type=int, default=3, help="of the student")
    add("--rows", type=int, default=20_000, help="training and pool rows, at most; with --memory made-up rows")
    add("--epochs", type=int, default=3)
    add("--threads", type=int, default=2)
    add("--rounds", type=int, default=3, help="turns that every loop has")
    add("--set", action="append", default=[], help="a field of the student's training: last_layer=first_token; repeats")
    add("--peer-python", type=Path, help="interpreter of an environment with requirements/textbrewer.txt")
    add("--work", type=Path, help="folder of inputs and cells; by default speed in RUN")
    add("--results", type=Path, default=_RESULTS, help="folder of the result's file")
    add("--name", default=_NAME, help="of that file, without .json; one for each teacher that is measured")
    add("--memory", action="store_true", help="measure memory of --rows rows instead")
    add("--words", type=int, default=36, help="of a made-up row")
    add("--width", type=int, default=32, help="with --memory: of the student's hidden states; 768 is BERT's")
    return parser


if __name__ == "__main__":
    sys.exit(main())
