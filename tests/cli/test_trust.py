"""A finished run is believed for its content: whatever was changed in it is named before a figure of it is shown."""

from __future__ import annotations

import os
import shutil

import pytest

from distill.core.manifest import read_manifest
from tests.tiny_run import distill


@pytest.fixture
def copy(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    return tmp_path / "run"


def flip(path, old, new):
    """Change a file to the same size, and give it its old times."""
    stat, text = path.stat(), path.read_bytes()
    assert old in text
    path.write_bytes(text.replace(old, new, 1))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def refused(done, *words):
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    for word in words:
        assert word in done.stderr


@pytest.mark.parametrize("verb", ["bundle", "report", "run", "status", "compare"])
def test_one_changed_digit_of_a_figure(copy, tiny, verb):
    if verb == "compare":
        part = copy / "predictions" / "base@card" / "valid.parquet"
        flip(part, *((byte := part.read_bytes()[900:904]), bytes(255 - one for one in byte)))
        refused(distill("compare", copy, "base@card", "3L_trunc@card"), "predictions/base@card", "valid.parquet")
        return
    flip(copy / "evaluation" / "evaluation.json", b'"f1_macro": {\n', b'"f1_macrO": {\n')
    arguments = {"bundle": ["bundle", *tiny(copy)], "report": ["report", copy], "run": tiny(copy)}
    done = distill(*arguments.get(verb, ["status", copy, "--verify"]))
    refused(done, "evaluation", "evaluation.json", "changed")
    assert "Macro" not in done.stdout


def test_a_changed_report_is_not_printed(copy):
    flip(copy / "report.json", b'"value": ', b'"valuE": ')
    refused(distill("report", copy), "report.json", "changed")


@pytest.mark.parametrize("file", ["manifest.json", "model.int8.onnx"])
def test_a_changed_bundle_is_not_handed_over(copy, tiny, file):
    flip(copy / "bundles" / "3L_trunc" / file, b"e", b"E")
    refused(distill("bundle", *tiny(copy)), "bundles/3L_trunc", file)


def test_status_reads_every_file_again(copy):
    done = distill("status", copy, "--verify")
    assert done.returncode == 0 and "artifacts are as their steps left them" in done.stderr
    for name in ("labels/base/shard-00000.parquet", "teachers/base/model.safetensors"):
        path = copy / name
        assert path.name in read_manifest(path.parent)["files"]
        flip(path, (found := path.read_bytes()[-1:]), bytes([found[0] ^ 1]))
    refused(distill("status", copy, "--verify"), "labels/base/shard-00000.parquet", "teachers/base/model.safetensors")


@pytest.mark.parametrize("content", ["[]", "garbage"])
def test_a_broken_cache_of_hashes_is_made_again(copy, content):
    (copy / ".cache").mkdir(exist_ok=True)
    (copy / ".cache" / "sha256.json").write_text(content)
    assert distill("report", copy).returncode == 0
