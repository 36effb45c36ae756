"""A Python of its own for a script that runs without distill: isolated from the environment, writing no byte code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from distill.core.errors import GateFailed

_SECONDS = 1800


def run_alone(script: Path, *arguments: str, asked: str = "") -> subprocess.CompletedProcess[str]:
    """What a script prints, and its exit code. Args: asked: its input. Raises: GateFailed after half an hour."""
    command = [sys.executable, "-I", "-B", "-X", "utf8", str(script), *arguments]
    try:
        return subprocess.run(
            command, input=asked, capture_output=True, encoding="utf-8", timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        found = f"no end after {_SECONDS // 60} minutes"
        raise GateFailed("the finished bundle does not answer", where=str(script), found=found) from None
