"""All finished artifacts of a run, checked as a whole."""

from __future__ import annotations

import os

import pytest

from distill.core.artifacts import finished, require_whole_run
from distill.core.errors import UserError
from distill.core.steps import Step
from tests.core.step_fixtures import Body, steps


@pytest.fixture
def run(tmp_path):
    made = steps(tmp_path)
    made.run(Step("records", "records", Body(**{"train.txt": "a", "large.bin": "x" * (2**20 + 1)})))
    made.run(Step("bundle", "bundles/8L", Body(**{"manifest.json": "{}", "model.onnx": "g"}), manifest="step.json"))
    steps(tmp_path / "seed-2").run(Step("teach", "teachers/base", Body()))
    (tmp_path / "students" / "8L.partial").mkdir(parents=True)
    (tmp_path / "students" / "8L.partial" / "manifest.json").write_text("{}")
    return tmp_path


def test_every_artifact_is_found_with_the_manifest_of_its_step(run):
    found = [(str(folder.relative_to(run)), name) for folder, name in finished(run)]
    assert found == [
        ("bundles/8L", "step.json"),
        ("records", "manifest.json"),
        ("seed-2/teachers/base", "manifest.json"),
    ]
    assert require_whole_run(run) == (3, 5)


@pytest.mark.parametrize("file", ["records/large.bin", "bundles/8L/manifest.json", "seed-2/teachers/base/model.txt"])
def test_one_flipped_bit_is_named(run, file):
    path = run / file
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match=file):
        require_whole_run(run)


def test_a_large_file_may_be_hashed_by_a_cache_and_a_small_one_not(run):
    (run / "records" / "train.txt").write_text("b")
    asked = []
    with pytest.raises(UserError, match=r"records/train\.txt"):
        require_whole_run(run, lambda path: asked.append(path.name) or "")
    assert asked == ["large.bin"]


def test_a_folder_that_cannot_be_looked_into_is_not_passed_over(run, monkeypatch):
    def scan(path, scandir=os.scandir):
        if str(path).endswith("bundles"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan)
    with pytest.raises(PermissionError, match="bundles"):
        require_whole_run(run)


@pytest.mark.parametrize("content", ["[]", '{"files": {"train.txt": 3}}', '{"files": []}', "garbage"])
def test_a_manifest_that_no_step_wrote_is_named(run, content):
    (run / "records" / "manifest.json").write_text(content)
    with pytest.raises(UserError, match=r"records/manifest\.json"):
        require_whole_run(run)
