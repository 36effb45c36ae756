"""Whole runs as commands: their output in a log file, how they ended beside them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from distill.core.files import write_json

_RESULT_CODES = (0, 3)  # 3: a gate failed, which is a result
_ERROR_LINES = 8


def run_logged(name: str, command: Sequence[str], root: Path, log: Path, keep: Path | None = None) -> str | None:
    """Run a command with its output in a log file; returns the error, if it ended with one. A failed gate is none.

    Args: name: shown. root: first on its module path. keep: where exit code and last lines are stored.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    variables = {**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"}
    with log.open("wb") as out:
        code = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, env=variables).returncode
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_ERROR_LINES:]
    print(f"{name}: exit {code}", file=sys.stderr, flush=True)
    if keep is not None:
        write_json(keep, {"exit": code, "end": lines if code else []})
    return None if code in _RESULT_CODES else f"{name}: exit {code}, see {log}\n" + "\n".join(lines)
