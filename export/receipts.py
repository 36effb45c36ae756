"""Receipts: that a copy of a bundle has given its recorded answers on this machine with these libraries.

Shipped next to `runtime.py`. `load_bundle` replays all golden records at its first start on a machine and leaves a
receipt; later starts, whose receipt is of the same files, processor and libraries, replay a few of them. Files are
hashed at every start. A receipt is an empty file, named by the SHA-256 of all that the answers depend on:

- the manifest's seal, which covers the hash of every file of the bundle, and the artifact;
- the code that answers, which need not be the bundle's own: distill runs that of its version;
- the processor's name and instruction sets, the system, the versions of Python, ONNX Runtime, tokenizers and numpy.

The number of threads is none of them: the tolerance of an artifact was measured between numbers of threads.

They are kept in `DISTILL_RECEIPTS`, or `distill/receipts` of the user's cache; `DISTILL_RECEIPTS=` (empty) keeps none,
and neither does a folder that cannot be read or written: then every start replays all. Other users may read the folder:
an image is often built by root, and run by someone else.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy
import onnxruntime
import tokenizers

VARIABLE = "DISTILL_RECEIPTS"
_CPU = ["CPUExecutionProvider"]
_SPOT = (0, 0.25, 0.5)  # golden records of a start with a receipt, by length: long ones would take most of its time


def receipt(seal: str, artifact: str, session: Any, code: Sequence[str]) -> Path | None:
    """Where the receipt of an open artifact is, or would be; None where none is kept, as for one on an accelerator.

    Args: seal: of the manifest. session: of ONNX Runtime. code: hashes of the files that run.
    """
    folder = _folder()
    if folder is None or session.get_providers() != _CPU:
        return None
    versions = [sys.version, *(library.__version__ for library in (onnxruntime, tokenizers, numpy))]
    text = json.dumps([seal, artifact, code, _processor(), sys.platform, platform.machine(), versions])
    return folder / hashlib.sha256(text.encode()).hexdigest()


def passed(path: Path | None) -> bool:
    """Whether a receipt is there; False where its folder cannot be read."""
    try:
        return path is not None and path.is_file()
    except OSError:
        return False


def leave(path: Path | None) -> None:
    """Leave a receipt, unless its folder cannot be written."""
    if path is not None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
            path.touch()
        except OSError:
            return


def spot(golden: Sequence[Mapping[str, Any]]) -> list[Any]:
    """A few golden records of different lengths, from the shortest to the middle one."""
    ordered = sorted(golden, key=lambda line: sum(len(window["ids"]) for window in line["windows"]))
    return [ordered[int(share * (len(ordered) - 1))] for share in _SPOT]


def _folder() -> Path | None:
    if (chosen := os.environ.get(VARIABLE)) is not None:
        return Path(chosen) if chosen else None
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "distill" / "receipts"
    except RuntimeError:  # no home
        return None


def _processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> list[str]:
    """The processor's name and instruction sets; the machine's name where the system does not tell."""
    first = cpuinfo.read_text().split("\n\n")[0].splitlines() if cpuinfo.is_file() else []
    told = [line for line in first if line.startswith(("model name", "flags", "Features", "CPU part"))]
    return told or [platform.machine()]
