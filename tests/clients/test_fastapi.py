"""The FastAPI example, really started on loopback and loaded by a second process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from tests.clients.environments import (
    EXAMPLES,
    QUIET,
    SERVING,
    free_ports,
    golden,
    needs_serving,
    require_recorded,
    served,
)
from tests.export.tiny_bundle import copy_of, shared_bundle

SERVICE = EXAMPLES / "fastapi_service.py"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    (port,) = free_ports(1)
    log = tmp_path_factory.mktemp("fastapi") / "log"
    with served([SERVING, "-B", SERVICE, shared_bundle(), "--verify", "--port", port], [port], log):
        yield f"http://127.0.0.1:{port}"


@needs_serving
def test_its_answers_are_those_recorded(address):
    records = [line["record"] for line in golden(shared_bundle())]
    said = httpx2.post(f"{address}/predict", json={"records": records, "operating_point": "f1"})
    require_recorded(said.json(), shared_bundle(), point="f1")


@needs_serving
def test_health_says_what_is_served(address):
    said = httpx2.get(f"{address}/healthz").json()
    assert said["precision"] == "fp32" and said["labels"] == ["not_about_pr", "ment_pr", "about_pr"]


@needs_serving
@pytest.mark.parametrize(
    ("body", "found"),
    [
        ('{"records": [{"page.title": {"a": 1}}]}', "record 0: column 'page.title' needs text, found dict"),
        ('{"records": [{"page.title": "\\ud800"}]}', "record 0: its text is not valid Unicode"),
        ('{"records": ["text"]}', "Input should be a valid dictionary"),
        ('{"records": [{}], "operating_point": "x"}', "no operating point 'x' at fp32; known: f1"),
        ("{", "JSON decode error"),
    ],
)
def test_a_bad_request_is_refused_with_the_reason(address, body, found):
    said = httpx2.post(f"{address}/predict", content=body, headers={"content-type": "application/json"})
    assert said.status_code == 422 and found in said.text


@needs_serving
def test_eight_clients_at_once_get_the_answers_of_one(address):
    command = [SERVING, "-B", str(EXAMPLES / "load_test.py"), address, str(shared_bundle() / "golden.jsonl")]
    done = subprocess.run(
        [*command, "--requests", "240"], capture_output=True, text=True, env=os.environ | QUIET, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout)
    assert said["different"] == 0 and said["clients"] == 8
    assert 0 < said["many"]["p50_ms"] <= said["many"]["p99_ms"] and said["many"]["requests_per_s"] > 0


@needs_serving
def test_it_does_not_start_with_a_bundle_that_does_not_verify(tmp_path):
    bundle = copy_of(shared_bundle(), tmp_path)
    with (bundle / "model.int8.onnx").open("r+b") as file:
        file.write(b"\x00")
    command = [SERVING, "-B", str(SERVICE), str(bundle), "--verify"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | QUIET, check=False)
    assert done.returncode == 1 and "model.int8.onnx" in done.stderr


@pytest.mark.parametrize(
    ("text", "more", "said"),
    [
        ('{"page.title": "x"}\n', [], "http://127.0.0.1:1: "),
        ("\n", [], "at least one of each is needed"),
        ('{"page.title": "x"}\n', ["--clients", "0"], "at least one of each is needed"),
        ("{\n", [], "in.jsonl: Expecting property name"),
        (None, [], "No such file"),
    ],
)
def test_a_service_or_records_that_are_not_there_are_named(tmp_path, text, more, said):
    file = tmp_path / "in.jsonl"
    if text is not None:
        file.write_text(text)
    command = [sys.executable, str(EXAMPLES / "load_test.py"), "http://127.0.0.1:1", str(file), *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr


@needs_serving
def test_a_folder_that_is_no_bundle_is_named(tmp_path):
    done = subprocess.run([SERVING, "-B", str(SERVICE), str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and f"{tmp_path}: not a bundle" in done.stderr


def test_the_example_is_short():
    lines = [line for line in SERVICE.read_text("utf-8").splitlines() if line.strip() and '"""' not in line]
    assert len(lines) <= 36 and Path(SERVICE).name == "fastapi_service.py"
