"""Runs `python -m distill` from a process that has imported what it imports, so that a start costs no import.

As a module it is that process: for each request, a line of JSON, it forks a child, which is the command from there on,
and answers with the child's exit code. The child has a memory, working folder, environment, output and end of its own.
What it does not have are variables that Python or a library reads while it starts: those need a process from the start.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[1]
_IMPORTED = (
    "distill.cli.app",
    "distill.pipeline.findings",
    "distill.training.trainer",
    "export.parity",
    "onnxruntime.quantization",
    "onnxscript",
    "sklearn.feature_extraction.text",
    "sklearn.linear_model",
    "torch.onnx",
    "torch.utils.tensorboard",
    "transformers.exporters.exporter_onnx",
)


def run_forked(arguments: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """What `python -m distill` with these arguments printed, and its exit code."""
    server = _server()
    assert server.stdin is not None and server.stdout is not None
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        request = {"arguments": [*arguments], "cwd": os.getcwd(), "environment": {**environment}}
        server.stdin.write(json.dumps({**request, "files": [os.devnull, str(out), str(err)]}) + "\n")
        server.stdin.flush()
        answer = server.stdout.readline()
        assert answer, "the process that starts the commands has ended"
        printed = [path.read_text(encoding="utf-8") for path in (out, err)]
    return subprocess.CompletedProcess(["distill", *arguments], int(answer), *printed)


@cache
def _server() -> subprocess.Popen[str]:
    """The process that forks: one for each process of tests, with which it ends."""
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-m", "tests.forking"], cwd=ROOT, env=env, text=True, **pipes)


def _serve() -> None:
    for name in _IMPORTED:
        importlib.import_module(name)
    gc.freeze()  # what all children share is not copied to be looked through
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _become(**json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _become(arguments: list[str], cwd: str, environment: dict[str, str], files: list[str]) -> NoReturn:
    """Be the command: its input and output, folder, environment and end."""
    for descriptor, path in enumerate(files):
        opened = os.open(path, os.O_RDWR | os.O_CREAT)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[1:] = arguments
    runpy.run_module("distill", run_name="__main__", alter_sys=True)
    sys.exit()


if __name__ == "__main__":
    _serve()
