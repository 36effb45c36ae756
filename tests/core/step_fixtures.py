"""A step with a body that is watched, and the same step in a process that kills itself."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

from distill.core.files import write_json
from distill.core.manifest import write_manifest
from distill.core.steps import Step, Steps

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import os, signal, sys
from pathlib import Path
from distill.core import manifest, steps
from distill.core.files import replacing, write_text
from distill.core.files import write_json
from distill.core.manifest import write_manifest
from distill.core.steps import Step, Steps

def kill(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

def body(folder):
{body}

{before}
Steps(Path(sys.argv[1]), {{}}, {{}}).run(Step("teach/base", "teachers/base", body, {{"epochs": 1}}))
"""


class Body:
    """Writes its files and counts its calls; tells which files it found there."""

    def __init__(self, **files: str) -> None:
        self.files = files or {"model.txt": "веса"}
        self.calls = 0
        self.found: list[str] = []

    def __call__(self, folder: Path) -> None:
        self.calls += 1
        self.found = sorted(path.name for path in folder.iterdir())
        for name, text in self.files.items():
            (folder / name).write_text(text, encoding="utf-8")


def steps(run: Path) -> Steps:
    """A new process's view of a run folder."""
    return Steps(run, {"seed": 1}, {"numpy": "2"})


def step(body, config=1, **more) -> Step:
    return Step("teach/base", "teachers/base", body, config, **more)


def left(path: Path, value: object) -> None:
    """A JSON file as the step of its folder left it."""
    write_json(path, value)
    write_manifest(path.parent, {"step": "x"})


def killed(run: Path, body: str, before: str = "") -> None:
    """Run a step in another process, which kills itself with SIGKILL on the way."""
    script = SCRIPT.format(body=textwrap.indent(textwrap.dedent(body).strip(), "    "), before=before)
    done = subprocess.run([sys.executable, "-c", script, run], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


def after_kill(run: Path) -> tuple[Body, Path]:
    """The same step once more, in this process."""
    body = Body(**{"second.txt": "2"})
    return body, steps(run).run(step(body, {"epochs": 1}))
