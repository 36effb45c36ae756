"""The card of this machine, as its driver and PyTorch tell it, and several processes on it at once."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from distill.core.errors import UserError
from distill.core.files import Json

_QUERY = ("name", "driver_version", "memory.total", "compute_cap")
_SECONDS = 20
_MPS = "nvidia-cuda-mps-control"


def card() -> Json | None:
    """Name, driver, memory and compute capability of the first card; None without one or its driver."""
    query = ["nvidia-smi", f"--query-gpu={','.join(_QUERY)}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    cells = [cell.strip() for cell in done.stdout.partition("\n")[0].split(",")]
    if done.returncode or len(cells) != len(_QUERY):
        return None
    return {"card": cells[0], "driver": cells[1], "memory_mib": cells[2], "compute_capability": cells[3]}


def require_card() -> Json:
    """The card. Raises: UserError where there is none, before anything is installed."""
    found = card()
    if found is None:
        raise UserError(
            "there is no CUDA device here",
            where="--device cuda",
            found="nvidia-smi shows none",
            do="run it on a machine with a card, or try every part on the processor: --device cpu --tiny",
        )
    return found


@contextmanager
def shared_card(folder: Path) -> Iterator[dict[str, str]]:
    """Variables with which several processes run kernels on the card at once, through CUDA's multi-process service.

    Without the service, or where it does not start, they take turns, and there are none.

    Args: folder: for its pipes and logs.
    """
    if shutil.which(_MPS) is None:
        yield {}
        return
    folder.mkdir(parents=True, exist_ok=True)
    variables = {"CUDA_MPS_PIPE_DIRECTORY": str(folder), "CUDA_MPS_LOG_DIRECTORY": str(folder)}
    env = {**os.environ, **variables}
    try:
        started = subprocess.run([_MPS, "-d"], env=env, capture_output=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        yield {}
        return
    try:
        yield variables if started.returncode == 0 else {}
    finally:
        subprocess.run([_MPS], input=b"quit\n", env=env, capture_output=True, timeout=_SECONDS, check=False)
