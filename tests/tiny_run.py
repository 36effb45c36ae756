"""A small project and one whole run of it, shared by the tests of the command line and of the pipeline."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from distill.demo.generate import Sizes
from tests.cli.planted_project import write_project
from tests.demo.easy import generate_easy
from tests.forking import run_forked

TINY = [
    "--set=teachers.base.checkpoint=null",
    "--set=teachers.base.fresh={layers: 4, width: 32, heads: 2, vocabulary: 600}",
    "--set=teachers.base.training={epochs: 10, optimiser: adamw, learning_rate: 2e-3, batch_size: 8, precision: fp32}",
    "--set=teachers.base.labelling={shard_rows: 64, precision: fp32}",
    "--set=students.3L_trunc.training={epochs: 2, learning_rate: 1e-3, precision: fp32, save_steps: 4}",
    "--set=bench={requests: 12, processes: 1, warmup: 2, minutes: 0}",
    "--set=bench={trained_students: false, int8_teachers: false, openvino: false}",
    "--set=quality.replicates=200",
    "--set=gates.int8_flips=1.0",
    "--set=gates.decisions=1.0",
    "--set=gates.class_f1=1.0",
    "--set=threads=1",
]
_VARIABLES = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}


def distill(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `distill` as a user would, without what starting Python costs where no `environment` is set on top."""
    if environment:
        return started(*arguments, **environment)
    return run_forked([*map(str, arguments)], {**os.environ, **_VARIABLES})


def started(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m distill` in a process from its start."""
    command = [sys.executable, "-m", "distill", *map(str, arguments)]
    env = {**os.environ, **_VARIABLES, **environment}
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=env, check=False)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], None]], Path]:
    """Makes a folder once for all processes of tests: the first that asks makes it, the others wait. It stays as it is.

    A folder whose making failed is made again.
    """
    base = tmp_path_factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    place.mkdir(exist_ok=True)

    def once(name: str, make: Callable[[Path], None]) -> Path:
        with open(place / f"{name}.lock", "a+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            lock.seek(0)
            if not lock.read():
                shutil.rmtree(place / name, ignore_errors=True)
                make(place / name)
                lock.write("made")
        return place / name

    return once


@pytest.fixture(scope="session")
def project(shared: Callable[..., Path]) -> Path:
    """The demo's files made small and easy: a folder with `project.yaml` and its files."""
    sizes = Sizes(train=240, valid=120, test=160, pool=150)
    return shared("project", lambda folder: generate_easy(folder, sizes=sizes))


@pytest.fixture(scope="session")
def tiny(project: Path) -> Callable[..., list[str]]:
    """Arguments of a tiny run into a folder."""
    return lambda run, *more: [
        f"--config={project / 'project.yaml'}",
        f"--out={run}",
        "--student=3L_trunc",
        *TINY,
        *more,
    ]


@pytest.fixture(scope="session")
def run(tiny: Callable[..., list[str]], shared: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of one whole run: teacher, labels, student, export, latency, bundle, report."""

    def make(folder: Path) -> None:
        done = started(*tiny(folder))
        assert done.returncode == 0, done.stdout + done.stderr

    return Path(shutil.copytree(shared("tiny", make), tmp_path_factory.mktemp("runs") / "tiny", symlinks=True))


@pytest.fixture(scope="session")
def planted(shared: Callable[..., Path]) -> Path:
    """The project file in which tests plant faults, without any."""
    return shared("planted", write_project) / "project.yaml"


@pytest.fixture(scope="session")
def taught(planted: Path, shared: Callable[..., Path]) -> tuple[Path, str]:
    """Its run up to the choice of the labels, to be copied, and what the console said."""

    def make(folder: Path) -> None:
        done = distill("teach", f"--config={planted}", f"--out={folder / 'run'}")
        assert done.returncode == 0, done.stdout + done.stderr
        (folder / "printed").write_text(done.stdout, encoding="utf-8")

    folder = shared("taught", make)
    return folder / "run", (folder / "printed").read_text(encoding="utf-8")
