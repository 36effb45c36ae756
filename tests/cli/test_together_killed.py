"""`kill -9` of one and of all processes of torchrun: the others end too, and the same command goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from distill.core.leftovers import is_alive
from tests.cli.test_together import SETS, command, environment

_PATIENCE_S = 300
MODELS = ("teachers/base", "students/3L_trunc")


def started(file: Path, run: Path) -> subprocess.Popen[str]:
    options = ["--student=3L_trunc", *(f"--set={one}" for one in SETS)]
    arguments = command("train", f"--config={file}", f"--out={run}", *options)
    return subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(), start_new_session=True
    )


def children(parent: int) -> list[int]:
    """The processes that torchrun started, in the order of their ranks."""
    return [
        int(pid) for task in Path(f"/proc/{parent}/task").iterdir() for pid in (task / "children").read_text().split()
    ]


def wait_for_steps(running: subprocess.Popen[str], run: Path, model: str) -> None:
    """Until a fit has saved a checkpoint, so that there is something to go on from."""
    limit = time.monotonic() + _PATIENCE_S
    while not list(run.glob(f"{model}*/**/trainer_state.json")):
        assert running.poll() is None and time.monotonic() < limit, running.communicate()
        time.sleep(0.02)


@pytest.mark.slow
def test_a_killed_process_ends_the_others_and_the_same_command_goes_on(project, tmp_path):
    file = project / "project.yaml"
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    undisturbed = started(file, whole)
    told = undisturbed.communicate(timeout=_PATIENCE_S)
    assert undisturbed.returncode == 0, told

    with started(file, killed) as running:
        wait_for_steps(running, killed, MODELS[0])
        workers = children(running.pid)
        os.kill(workers[1], signal.SIGKILL)
        _, errors = running.communicate(timeout=_PATIENCE_S)
    assert running.returncode != 0 and not any(map(is_alive, workers))
    assert "another process of torchrun has ended" in errors or "interrupted: the same command goes on" in errors
    ours, _, torchruns = errors.partition("ChildFailedError")  # whose own traceback is the last one
    assert ours.count("Traceback") <= 1 and "(SIGKILL)" in torchruns

    with started(file, killed) as running:
        wait_for_steps(running, killed, MODELS[1])
        workers = children(running.pid)
        for process in (running.pid, *workers):
            os.kill(process, signal.SIGKILL)
        running.communicate(timeout=_PATIENCE_S)

    last = started(file, killed)
    assert last.communicate(timeout=_PATIENCE_S) and last.returncode == 0
    for model in MODELS:
        one, other = (load_file(run / model / "model.safetensors") for run in (whole, killed))
        assert all(np.allclose(one[key], other[key], atol=1e-6) for key in one), model
        steps = [
            [point["step"] for point in json.loads((run / model / "training_history.json").read_text())["history"]]
            for run in (whole, killed)
        ]
        assert steps[0] == steps[1]
    assert not list(killed.rglob("*.partial"))
