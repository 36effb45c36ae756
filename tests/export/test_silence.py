"""A bundle and `distill predict` answer without a word to the network, seen from the system's side."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.export.tiny_bundle import copy_of, shared_bundle

ROOT = Path(__file__).resolve().parents[2]
TRACE = ["strace", "-f", "-qq", "-e", "trace=socket,connect,sendto", "-o"]
# Sockets of these families reach another machine; a local one (the system's name service, say) does not.
REACHES = re.compile(r"AF_(INET6?|PACKET|NETLINK)")
# ONNX Runtime looks for its maker's host some ten seconds after it was loaded.
SERVE = """
import sys, time
sys.path.insert(0, sys.argv[1])
from runtime import load_bundle
load_bundle(sys.argv[1]).predict([{"page.title": "drill"}])
time.sleep(13)
"""
SPEAKS = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)"


def traced(command: list[object], log: Path) -> list[str]:
    """The calls of a command that reach for the network."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("ORT_DISABLE_TELEMETRY", None)  # that of whoever runs the tests
    done = subprocess.run(
        [*TRACE, log, sys.executable, *command], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    return [line for line in log.read_text().splitlines() if REACHES.search(line)]


@pytest.fixture(scope="module", autouse=True)
def tracing(tmp_path_factory):
    log = tmp_path_factory.mktemp("trace") / "log"
    works = shutil.which("strace") and not subprocess.run([*TRACE, log, "true"], capture_output=True).returncode
    if not works:
        pytest.skip("strace is missing or not allowed here")


def test_a_socket_would_be_seen(tmp_path):
    assert traced(["-c", SPEAKS], tmp_path / "log")


def test_the_bundles_own_runtime_is_silent(tmp_path):
    bundle = copy_of(shared_bundle(), tmp_path)
    (tmp_path / "in.jsonl").write_text('{"page.title": "дрель"}\n' * 50, encoding="utf-8")
    assert traced(["-I", bundle / "runtime.py", "--predict", tmp_path / "in.jsonl"], tmp_path / "log") == []


def test_a_bundle_that_serves_is_silent(tmp_path):
    assert traced(["-I", "-c", SERVE, copy_of(shared_bundle(), tmp_path)], tmp_path / "log") == []


def test_predict_is_silent(tmp_path):
    (tmp_path / "in.jsonl").write_text('{"page.title": "дрель"}\n' * 50, encoding="utf-8")
    command = ["-P", "-m", "distill", "predict", shared_bundle(), tmp_path / "in.jsonl", "--threads", "1"]
    assert traced(command, tmp_path / "log") == []
