"""A bundle in an environment of its own, with three packages and nothing else; needs a package index."""

import json
import os
import subprocess
import sys

import pytest

from tests.export.tiny_bundle import copy_of, shared_bundle, some_records

PACKAGES = ("onnxruntime", "tokenizers", "numpy")


@pytest.mark.slow
def test_a_bundle_verifies_predicts_and_tells_drift_with_three_packages(tmp_path):
    folder, place = copy_of(shared_bundle(), tmp_path), tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    versions = json.loads((folder / "manifest.json").read_text())["versions"]
    wanted = [f"{name}=={versions[name]}" for name in PACKAGES]
    pip = [place / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *wanted], check=True)
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some_records(60, seed=3)))
    plain = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}

    def runs(*arguments):
        command = [place / "bin" / "python", "-I", folder / "runtime.py", *arguments]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", cwd=tmp_path, env=plain)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "fp32: passed" in (told := runs("--verify")) and "int8: passed" in told
    assert len(runs("--predict", "in.jsonl").splitlines()) == 60
    assert "drifted: nothing" in runs("--drift", "in.jsonl")
    installed = subprocess.run([*pip[:3], "list", "--format=json"], capture_output=True, check=True, text=True).stdout
    names = {one["name"].lower() for one in json.loads(installed)}
    assert set(PACKAGES) <= names and not names & {"torch", "transformers", "pydantic", "scipy", "pandas", "distill"}
