"""How long a bundle takes to its first answer: fresh processes, the first one without a receipt."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from distill.core.files import Json

_SCRIPT = Path(__file__).with_name("start_script.py")
PARTS = ("imports", "hashes", "tokenizer", "session", "golden records", "first answer", "total")


def starts(bundle: Path, receipts: Path, processes: int) -> list[Json]:
    """Milliseconds by part for each artifact: of the first start on a machine, and the median of later ones.

    Args: receipts: an empty folder for what the first start leaves. processes: later starts.
    """
    rows: list[Json] = []
    for precision in ("fp32", "int8"):
        first = _start(bundle, receipts, precision)
        later = [_start(bundle, receipts, precision) for _ in range(processes)]
        medians = {part: float(np.median([one[part] for one in later])) for part in PARTS}
        rows += [
            {"artifact": precision, "start": "first", "processes": 1, "ms": first, "least_ms": first["total"]},
            {
                **{"artifact": precision, "start": "later", "processes": processes, "ms": medians},
                "least_ms": min(one["total"] for one in later),
            },
        ]
    return rows


def _start(bundle: Path, receipts: Path, precision: str) -> Json:
    command = [sys.executable, "-P", str(_SCRIPT), str(bundle), precision, str(os.cpu_count() or 1)]
    variables = {**os.environ, "DISTILL_RECEIPTS": str(receipts), "PYTHONPATH": ""}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=variables)
    found: Json = json.loads(done.stdout.splitlines()[-1])
    return found
