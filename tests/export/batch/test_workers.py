"""Several processes give what one gives, and end with the one that started them."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from distill.core.errors import UserError
from distill.core.leftovers import is_alive
from distill.inference.providers import CPU, CUDA
from export.batch import shards
from export.batch.predict import _processes
from export.predict_options import PredictOptions
from tests.export.batch.files import predict
from tests.export.tiny_bundle import shared_bundle

ROWS = 400
ALONE = """
import multiprocessing, sys, threading, time
from pathlib import Path
from export.batch import shards
from export.batch.predict import predict_files
from export.predict_options import PredictOptions

def tell():
    while len(multiprocessing.active_children()) < 2:
        time.sleep(0.01)
    print(*(process.pid for process in multiprocessing.active_children()), flush=True)

if __name__ == "__main__":
    shards.SHARD_ROWS = 8
    threading.Thread(target=tell, daemon=True).start()
    predict_files(Path(sys.argv[1]), [sys.argv[2]], PredictOptions(Path(sys.argv[3]), workers=2))
"""


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(shards, "SHARD_ROWS", 8)


@pytest.fixture
def source(tmp_path):
    lines = [json.dumps({"id": i, "page.title": f"drill {i}"}) for i in range(ROWS)]
    (tmp_path / "in.jsonl").write_text("\n".join([*lines, "{broken"]), encoding="utf-8")
    return tmp_path / "in.jsonl"


def test_a_killed_worker_is_named_and_the_same_command_goes_on(tmp_path, source):
    one, out = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    predict(shared_bundle(), source, one, workers=1)

    def kill():
        while not list((tmp_path / ".two.jsonl.shards").glob("*/shard-*.json")):
            time.sleep(0.005)
        os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)

    threading.Thread(target=kill, daemon=True).start()
    with pytest.raises(UserError, match=r"a process that answers was killed[\s\S]*same command"):
        predict(shared_bundle(), source, out, workers=2)
    assert not out.exists() and not multiprocessing.active_children()
    found = predict(shared_bundle(), source, out, workers=2)
    assert (found.rows, found.rejects) == (ROWS, 1) and out.read_bytes() == one.read_bytes()


def test_workers_end_with_the_command_that_was_killed(tmp_path, source):
    (tmp_path / "alone.py").write_text(ALONE, encoding="utf-8")
    command = [sys.executable, tmp_path / "alone.py", shared_bundle(), source, tmp_path / "out.jsonl"]
    root = str(Path(__file__).resolve().parents[3])
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": root}) as driver:
        workers = [int(number) for number in driver.stdout.readline().split()]
        driver.kill()
    limit = time.monotonic() + 60
    while any(map(is_running, workers)) and time.monotonic() < limit:
        time.sleep(0.01)
    assert len(workers) == 2 and not any(map(is_running, workers))


def is_running(process: int) -> bool:
    """Whether it runs; one that has ended may still be listed where nobody asks how."""
    stat = Path(f"/proc/{process}/stat")
    return is_alive(process) and not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


@pytest.mark.parametrize(
    ("options", "rows", "provider", "expected"),
    [
        ({}, 2048, CPU, (1, None)),
        ({}, 2049, CPU, (2, 4)),
        ({}, 10**6, CPU, (8, 1)),
        ({"threads": 3}, 10**6, CPU, (1, 3)),
        ({"workers": 3}, 10**6, CPU, (3, 2)),
        ({"workers": 1}, 10**6, CPU, (1, None)),
        ({"workers": 4, "threads": 1}, 10, CPU, (4, 1)),
        ({}, 10**6, CUDA, (1, None)),
    ],
)
def test_as_many_processes_as_cores_unless_the_file_is_short_or_a_card_answers(
    monkeypatch, options, rows, provider, expected
):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert _processes(PredictOptions(**options), rows, provider) == expected
