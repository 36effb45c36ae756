"""A small project and one whole run of it, shared by the tests of the command line and of the pipeline."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from distill.demo.generate import Sizes
from tests.cli.planted_project import write_project
from tests.demo.easy import generate_easy

TINY = [
    "--set=teachers.base.checkpoint=null",
    "--set=teachers.base.fresh={layers: 4, width: 32, heads: 2, vocabulary: 600}",
    "--set=teachers.base.training={epochs: 10, optimiser: adamw, learning_rate: 2e-3, batch_size: 8, precision: fp32}",
    "--set=teachers.base.labelling={shard_rows: 64, precision: fp32}",
    "--set=students.3L_trunc.training={epochs: 2, learning_rate: 1e-3, precision: fp32, save_steps: 4}",
    "--set=bench={requests: 12, processes: 1, warmup: 2}",
    "--set=quality.replicates=200",
    "--set=gates.int8_flips=1.0",
    "--set=threads=1",
]


def distill(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m distill` as a user would; the environment gets `environment` on top."""
    command = [sys.executable, "-m", "distill", *map(str, arguments)]
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", **environment}
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=env, check=False)


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's files made small and easy: a folder with `project.yaml` and its files."""
    folder = tmp_path_factory.mktemp("project")
    generate_easy(folder, sizes=Sizes(train=240, valid=120, test=160, pool=150))
    return folder


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
def run(tiny: Callable[..., list[str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One whole run: teacher, labels, student, export, latency, bundle, report."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    done = distill(*tiny(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project file in which tests plant faults, without any."""
    return write_project(tmp_path_factory.mktemp("planted"))


@pytest.fixture(scope="session")
def taught(planted: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Its run up to the choice of the labels, to be copied, and what the console said."""
    run = tmp_path_factory.mktemp("taught") / "run"
    done = distill("teach", f"--config={planted}", f"--out={run}")
    assert done.returncode == 0, done.stdout + done.stderr
    return run, done.stdout
