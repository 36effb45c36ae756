"""Runs the parts of the GPU kit: each in a process of its own, stopped when its time is over, kept when it is done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.gpu.job import ROOT, Job
from benchmarks.gpu.parts import Part
from benchmarks.gpu.stopping import started, stop
from distill.core.files import Json, read_object, sha256_json, write_json
from distill.core.versions import versions_of

Start = Callable[[str, Job], Json]
"""Measures a part by its name within `job.seconds`: `{"status", "figures" | "said"}`."""

LIBRARIES = ("onnxruntime", "onnxruntime-gpu", "tensorrt-cu13", "tokenizers", "torch", "transformers", "numpy")
PROGRAM = ("-P", "-m", "benchmarks.gpu.one_part")
_SOURCES = ("distill", "teachers", "students", "export", "benchmarks")
_ERROR_LINES, _LEAST_S = 6, 3.0


@dataclass
class Budget:
    """The time of all parts together. Attributes: clock: seconds, never going back."""

    seconds: float
    clock: Callable[[], float] = time.monotonic
    begun: float = field(init=False)

    def __post_init__(self) -> None:
        self.begun = self.clock()

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self.seconds - (self.clock() - self.begun)


def run_parts(
    parts: Mapping[str, Part], job: Job, machine: Json, results: Path, budget: Budget, start: Start | None = None
) -> dict[str, str]:
    """Measure each part that is not done with the same inputs, and write `results/PART.json` after each.

    A part takes its own minutes at most and what is left of the budget; the last ones take all that is left. A part
    that fails or is stopped is written too, without taking the place of one that was done, and tried again by the next
    start.

    Args: machine: the card, for the records. start: how a part is started; by default in a process of its own.
    Returns: name to `done`, `kept` (from an earlier start), `failed`, `stopped`, `absent` or `no time`.
    """
    outcomes = {}
    for name, part in parts.items():
        inputs, path = inputs_of(name, part, job, machine), results / f"{name}.json"
        if (kept := read_object(path)).get("inputs") == inputs and kept["status"] == "done":
            outcomes[name] = "kept"
            continue
        lacking = list(part.missing(job))
        whole = part.last or (job.device == "cpu" and not job.tiny)  # the minutes are a card's
        seconds = budget.left if whole else min(60 * part.minutes, budget.left)
        if lacking or seconds < _LEAST_S:
            outcomes[name] = "absent" if lacking else "no time"
            if kept.get("status") != "done":
                said = f"needs {', '.join(lacking)}" if lacking else "the time was over before its turn"
                write_json(path, _record(name, part, job, machine, {"status": outcomes[name], "said": said}))
            continue
        print(f"{name} … at most {seconds:.0f} s", file=sys.stderr, flush=True)
        begun = budget.clock()
        found = (start or in_process)(name, replace(job, seconds=seconds))
        took = {"seconds": round(budget.clock() - begun, 1), "inputs": inputs}
        record = _record(name, part, job, machine, {**found, **took})
        if kept.get("status") == "done" and found["status"] != "done":
            record = {**kept, "later": {key: record[key] for key in ("status", "said", "seconds") if key in record}}
        write_json(path, record)
        outcomes[name] = found["status"]
        print(f"{name}: {found['status']} {found.get('said', '')}".rstrip(), file=sys.stderr, flush=True)
    return outcomes


def inputs_of(name: str, part: Part, job: Job, machine: Mapping[str, object]) -> str:
    """The hash of all that a part's figures depend on: its settings, the card, the libraries, the sources."""
    rooms = (*_SOURCES, "tests") if part.tested else _SOURCES
    sources = {
        str(path.relative_to(job.root)): path.read_text(encoding="utf-8")
        for room in rooms
        for path in sorted((job.root / room).rglob("*.py"))
    }
    settings = {key: value for key, value in job.as_json().items() if key not in ("work", "root", "seconds")}
    return sha256_json([name, settings, dict(machine), versions(), sources])


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that are measured."""
    return versions_of(LIBRARIES)


def in_process(name: str, job: Job) -> Json:
    """A part in a process of its own, which is ended with all that it started when its seconds are over.

    Its output goes to `work/PART.log`, its figures come back in a file: of one that is stopped, those so far.
    """
    job.work.mkdir(parents=True, exist_ok=True)
    out, log = job.work / f"{name}.figures.json", job.work / f"{name}.log"
    out.unlink(missing_ok=True)
    asked = json.dumps({"part": name, "job": replace(job, out=out).as_json()})
    command = [sys.executable, *PROGRAM, asked]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environ = {**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"}
    with log.open("wb") as said:
        process = started(command, said, {**environ, "PYTHONUNBUFFERED": "1"})
        try:
            with suppress(subprocess.TimeoutExpired):
                process.wait(job.seconds)
            code = process.poll()
        finally:
            stop(process)
    figures = read_object(out)
    if code == 0 and figures:
        return {"status": "stopped" if figures.get("done") is False else "done", "figures": figures}
    so_far = {"figures": figures} if figures else {}
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-_ERROR_LINES:]
    if code is None:
        return {"status": "stopped", "said": f"after {job.seconds:.0f} s; " + " / ".join(lines), **so_far}
    return {"status": "failed", "said": f"exit code {code}: " + " / ".join(lines), **so_far}


def _record(name: str, part: Part, job: Job, machine: Json, found: Json) -> Json:
    trial = {"trial": True} if job.tiny else {}
    command = f"python -m benchmarks.gpu --wheels WHEELS --work WORK --parts {name}"
    about = {"kind": "gpu", "part": name, "title": part.title, "command": command, "device": job.device, **trial}
    return {**about, "machine": machine, "versions": versions(), **found}


def summary(outcomes: Mapping[str, str], results: Path) -> Sequence[str]:
    """The outcomes for people."""
    return [f"{name:<10} {outcome}" for name, outcome in outcomes.items()] + [f"written: {results}"]
