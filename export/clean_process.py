"""A Python of its own for a script that runs without distill: isolated from the environment, writing no byte code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from distill.core.errors import GateFailed, UserError
from distill.core.files import Json

_SECONDS = 1800
_SHOWN = 5


def run_alone(script: Path, *arguments: str, asked: str = "") -> subprocess.CompletedProcess[str]:
    """What a script prints, and its exit code; a bundle in it replays all golden records, whatever was replayed before.

    Args: asked: its input. Raises: GateFailed after half an hour.
    """
    command = [sys.executable, "-I", "-B", "-X", "utf8", str(script), *arguments]
    try:
        return subprocess.run(
            command,
            input=asked,
            capture_output=True,
            encoding="utf-8",
            timeout=_SECONDS,
            check=False,
            env={**os.environ, "DISTILL_RECEIPTS": ""},
        )
    except subprocess.TimeoutExpired:
        found = f"no end after {_SECONDS // 60} minutes"
        raise GateFailed("the finished bundle does not answer", where=str(script), found=found) from None


def ask_other_python(python: str, script: Path, asked: Json, where: str, make: str) -> Json:
    """The JSON object that a script prints under the interpreter of another environment, without any network.

    Args: asked: its input. where: what names the environment, for messages. make: how it is made.
    Raises: UserError when there is no such interpreter, or with the last lines of what a script that failed had said.
    """
    command = [python, "-I", "-B", "-X", "utf8", str(script)]
    offline = {**os.environ, "HF_HUB_OFFLINE": "1"}
    try:
        done = subprocess.run(
            command,
            input=json.dumps(asked),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_SECONDS,
            check=False,
            env=offline,
        )
    except OSError as error:
        found, do = f"{python}: {error.strerror}", f"name the Python of an environment made by: {make}"
        raise UserError("the other environment's Python does not start", where=where, found=found, do=do) from None
    except subprocess.TimeoutExpired:
        found = f"{python}: no end after {_SECONDS // 60} minutes"
        raise UserError("the other environment does not answer", where=where, found=found) from None
    try:
        answer = json.loads(done.stdout) if done.returncode == 0 else None
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise _failed(python, done, where, make)
    return answer


def _failed(python: str, done: subprocess.CompletedProcess[str], where: str, make: str) -> UserError:
    said = [line for line in f"{done.stderr}\n{done.stdout}".splitlines() if line.strip()][-_SHOWN:]
    return UserError(
        "the other environment failed",
        where=where,
        found="\n         ".join([f"{python}: exit code {done.returncode}", *said]),
        do=f"make that environment anew if packages are missing: {make}; else leave the exporter out",
    )
