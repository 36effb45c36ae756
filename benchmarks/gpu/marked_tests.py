"""Part: the tests that need a card, marked `gpu` or `tensorrt`."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from benchmarks.gpu.job import Job
from distill.core.errors import UserError
from distill.core.files import Json

_MARKS = re.compile(r"\bmark\.(gpu|tensorrt)\b")
_EXPRESSION = "gpu or tensorrt"
_SHOWN = 3


def files(root: Path) -> list[Path]:
    """The files of tests in which a marker stands, so that no other file is imported."""
    tests = root / "tests"
    return [path for path in sorted(tests.rglob("test_*.py")) if _MARKS.search(path.read_text(encoding="utf-8"))]


def missing(job: Job) -> list[str]:
    """What the part lacks here."""
    return [] if files(job.root) else [f"no test below {job.root / 'tests'} is marked {_EXPRESSION}"]


def measure(job: Job) -> Json:
    """Outcome and seconds of every marked test; on the processor they are collected, not run.

    Raises: UserError where pytest itself fails.
    """
    out = job.work / "tests.xml"
    out.unlink(missing_ok=True)
    command = [
        sys.executable,
        "-P",
        "-m",
        "pytest",
        "-q",
        "-m",
        _EXPRESSION,
        "-p",
        "no:cacheprovider",
        f"--junitxml={out}",
    ]
    command += [] if job.device == "cuda" else ["--collect-only"]
    done = subprocess.run(
        [*command, *map(str, files(job.root))], cwd=job.root, capture_output=True, text=True, check=False
    )
    if done.returncode not in (0, 1):
        found = "\n".join((done.stdout + done.stderr).strip().splitlines()[-_SHOWN:])
        raise UserError("pytest ended with an error", where=_EXPRESSION, found=found)
    if job.device != "cuda":
        collected = [line for line in done.stdout.splitlines() if "::" in line]
        return {"tests": [{"name": name, "outcome": "collected", "seconds": 0.0, "said": ""} for name in collected]}
    return {"tests": [_one(case) for case in ElementTree.parse(out).iter("testcase")]}


def _one(case: ElementTree.Element) -> Json:
    kinds = {"failure": "failed", "error": "failed", "skipped": "skipped"}
    outcome, said = "passed", ""
    for child in case:
        if child.tag in kinds:
            outcome, said = kinds[child.tag], (child.get("message") or "").partition("\n")[0]
    name = f"{case.get('classname')}::{case.get('name')}"
    return {"name": name, "outcome": outcome, "seconds": float(case.get("time") or 0), "said": said}
