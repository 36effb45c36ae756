"""Part: the tables of quality on public data that take processors hours, by their own commands, in what time is left.

Each command goes on where it was stopped, as long as the work folder is kept.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

from benchmarks.gpu.card import shared_card
from benchmarks.gpu.job import Job
from benchmarks.gpu.stopping import started, stop
from distill.core.files import Json

_POLL_S, _MARGIN_S, _SHOWN = 0.5, 5.0, 3


def _quality(job: Job, out: Path) -> list[str]:
    return ["benchmarks.quality", "wdc_products", *_folders(job, out, "quality"), "--jobs", "4"]


def _systems(job: Job, out: Path) -> list[str]:
    return ["benchmarks.systems", *_folders(job, out, "systems"), "--view", "card"]


def _ablation(job: Job, out: Path) -> list[str]:
    return ["benchmarks.ablation", "wdc_products", *_folders(job, out, "ablation")]


COMMANDS: Mapping[str, Callable[[Job, Path], list[str]]] = {
    "quality": _quality,
    "systems": _systems,
    "ablation": _ablation,
}


def _folders(job: Job, out: Path, name: str) -> list[str]:
    work = ["--work", str(job.work / name), "--results", str(out)]
    return ["--data", str(job.data), "--encoder", str(job.encoder), *work]


def missing(job: Job) -> list[str]:
    """What the part lacks here."""
    given = {"--data": job.data, "--encoder": job.encoder}
    return [
        f"{flag} FOLDER" if folder is None else f"{folder} ({flag}) is no folder"
        for flag, folder in given.items()
        if folder is None or not folder.is_dir()
    ]


def measure(job: Job) -> Json:
    """How each command ended, side by side on the card; `stopped` where the time was over: it goes on next time.

    A trial asks each for its help alone.
    """
    out = job.work / "results"
    out.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + job.seconds - _MARGIN_S
    with ExitStack() as stack:
        shared = stack.enter_context(shared_card(job.work / "mps")) if job.device == "cuda" else {}
        running = {}
        for name, made in COMMANDS.items():
            log = stack.enter_context((job.work / f"{name}.log").open("w+b"))
            command = [sys.executable, "-P", "-m", *made(job, out), *(["--help"] if job.tiny else [])]
            environ = {**os.environ, **shared, "PYTHONPATH": str(job.root), "HF_HUB_OFFLINE": "1"}
            running[name] = (started(command, log, environ), log, time.monotonic())
            stack.callback(stop, running[name][0])
        while any(process.poll() is None for process, _, _ in running.values()) and time.monotonic() < until:
            time.sleep(_POLL_S / (10 if job.tiny else 1))
        cells = [
            {"table": name, **_ended(process, begun), "said": _last_lines(log)}
            for name, (process, log, begun) in running.items()
        ]
    return {"cells": cells, "together": bool(shared), "done": all(cell["outcome"] == "done" for cell in cells)}


def _ended(process: subprocess.Popen[bytes], begun: float) -> Json:
    code = process.poll()
    outcome = "stopped" if code is None else "done" if code == 0 else f"exit {code}"
    stop(process)
    return {"outcome": outcome, "seconds": time.monotonic() - begun}


def _last_lines(log: object) -> str:
    path = Path(log.name)  # type: ignore[attr-defined]
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return " / ".join(line.strip() for line in lines[-_SHOWN:])[:300]
