"""The environments of clients, named by variables, and what a client must say of a bundle's golden records.

Without a variable its tests are skipped; docs/serving.md says how each environment is made.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NODE_MODULES = os.environ.get("DISTILL_NODE_MODULES")
SERVING = os.environ.get("DISTILL_SERVING_PYTHON")
needs_node = pytest.mark.skipif(not NODE_MODULES, reason="DISTILL_NODE_MODULES names no node_modules folder")
needs_serving = pytest.mark.skipif(not SERVING, reason="DISTILL_SERVING_PYTHON names no Python that has MLServer")
QUIET = {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", "NO_PROXY": "127.0.0.1"}
_START_S = 60


def golden(bundle: Path) -> list[dict[str, Any]]:
    """The golden records of a bundle with what was recorded of them."""
    return [json.loads(line) for line in (bundle / "golden.jsonl").read_bytes().splitlines()]


def require_recorded(said: Sequence[Mapping[str, Any]], bundle: Path, artifact: str = "fp32", point: str = "") -> None:
    """Check answers to all golden records: labels and decisions equal, probabilities, at the temperature, to 1e-5."""
    recorded = golden(bundle)
    assert len(said) == len(recorded) >= 100
    for answer, line in zip(said, recorded, strict=True):
        known = line["answers"][artifact]
        assert answer["label"] == known.get(point, known["label"]), line["id"]
        assert answer["probabilities"] == pytest.approx(known["probabilities"], abs=1e-5), line["id"]
        if point and point not in known:
            assert answer["positive"] == known["positive"][point], line["id"]


def run(python: str, script: Path, *arguments: object, **asked: Any) -> Any:
    """What a script prints as JSON, given JSON, in an environment that has nothing of distill."""
    command, env = [python, "-B", str(script), *map(str, arguments)], os.environ | QUIET
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads(done.stdout)


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


@contextmanager
def served(command: Sequence[object], ports: Sequence[int], log: Path, **variables: str) -> Iterator[None]:
    """A server on loopback, from when it listens on its ports until the end of the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*map(str, command)], stdout=output, stderr=output, env=os.environ | QUIET | variables, cwd=log.parent
        )
        try:
            end = time.monotonic() + _START_S
            while not all(map(_listens, ports)):
                assert process.poll() is None and time.monotonic() < end, log.read_text("utf-8")[-4000:]
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
