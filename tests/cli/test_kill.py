"""`kill -9` in every step of one run: it ends with the figures of a run that nothing disturbed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from distill.core.manifest import MANIFEST, read_manifest
from distill.core.predictions import read_predictions

_WAIT_SECONDS = 300
# As soon as a step begins, and well inside the long ones.
_DELAYS_SECONDS = (0.0, 3.0)


@pytest.mark.slow
def test_killed_in_every_step(run: Path, tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    disturbed, undisturbed = tmp_path / "run", stages(run)
    killed = {
        name
        for name in undisturbed
        for delay in _DELAYS_SECONDS
        if kill_during(name, delay, tiny(disturbed), disturbed)
    }
    done = subprocess.run(command(tiny(disturbed)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert killed >= {name for name, seconds in durations(run).items() if seconds > 0.5}, killed
    same_figures(run, disturbed)
    assert not list(disturbed.rglob("*.partial"))


def kill_during(name: str, delay: float, arguments: list[str], folder: Path) -> bool:
    """Start the run and kill its whole process group `delay` seconds into a step; False when the step was quicker."""
    with subprocess.Popen(
        command(arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        limit = time.monotonic() + _WAIT_SECONDS
        while process.poll() is None and time.monotonic() < limit:
            state = stages(folder).get(name)
            if state == "running":
                time.sleep(delay)
                still = stages(folder).get(name) == "running"
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                nothing_looks_finished(folder)
                return still
            if state in ("done", "skipped"):
                os.killpg(process.pid, signal.SIGKILL)
                break
            time.sleep(0.01)
    return False


def nothing_looks_finished(folder: Path) -> None:
    """Every artifact with its final name is whole."""
    for manifest in folder.rglob(MANIFEST):
        inside = manifest.parent
        if "bundles" in inside.parts or inside.name.endswith(".partial"):
            continue
        for name, entry in read_manifest(inside)["files"].items():
            assert (inside / name).stat().st_size == entry["bytes"]


def same_figures(one: Path, other: Path) -> None:
    """Audit, predictions, parity, evaluation and all of the bundle that is not measured are equal."""
    bundles = (json.loads((run / "bundles/3L_trunc/manifest.json").read_text()) for run in (one, other))
    assert len({bundle["content_sha256"] for bundle in bundles}) == 1
    assert (one / "audit.json").read_bytes() == (other / "audit.json").read_bytes()
    for name in ("evaluation/evaluation.json", *(str(p.relative_to(one)) for p in one.glob("export/*/*/parity.json"))):
        assert json.loads((one / name).read_text()) == json.loads((other / name).read_text()), name
    for path in one.glob("predictions/*/*.parquet"):
        first, second = read_predictions(path), read_predictions(other / path.relative_to(one))
        assert first.ids == second.ids
        np.testing.assert_array_equal(first.logits, second.logits, err_msg=str(path))


def stages(folder: Path) -> dict[str, str]:
    """Status by step; empty before the run has written any."""
    try:
        found = json.loads((folder / "run.json").read_text())["stages"]
    except (FileNotFoundError, ValueError):
        return {}
    return {stage["name"]: stage["status"] for stage in found}


def durations(folder: Path) -> dict[str, float]:
    """Seconds that each step took when it was made."""
    return {stage["name"]: stage["seconds"] for stage in json.loads((folder / "run.json").read_text())["stages"]}


def command(arguments: list[str]) -> list[str]:
    """`python -m distill` with the tiny run's arguments."""
    return [sys.executable, "-m", "distill", *arguments]
