"""Manifests: what they list, what they refuse, and a digest that depends on content alone."""

from __future__ import annotations

import pytest

from distill.core.errors import UserError
from distill.core.files import read_json
from distill.core.manifest import digest, read_manifest, read_whole, require_whole, write_manifest


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.txt").write_text("а", encoding="utf-8")
    (tmp_path / "sub" / "b.bin").write_bytes(b"12345")
    (tmp_path / "marker").write_text("not part of it")
    write_manifest(tmp_path, {"step": "x", "seconds": 1.0}, leave_out=("marker",))
    return tmp_path


def test_every_file_is_listed_with_its_size(folder):
    files = read_json(folder / "manifest.json")["files"]
    assert {name: entry["bytes"] for name, entry in files.items()} == {"a.txt": 2, "sub/b.bin": 5}


def test_the_digest_forgets_when_it_was_made_and_sees_every_byte(folder):
    before = digest(folder)
    write_manifest(folder, {"step": "x", "seconds": 2.0}, leave_out=("marker",))
    assert digest(folder) == before
    (folder / "sub" / "b.bin").write_bytes(b"12346")
    write_manifest(folder, {"step": "x", "seconds": 2.0}, leave_out=("marker",))
    assert digest(folder) != before


def test_damage_is_named(folder):
    require_whole(folder)
    (folder / "sub" / "b.bin").write_bytes(b"12346")
    require_whole(folder, files=("a.txt",))
    with pytest.raises(UserError, match=r"sub/b\.bin"):
        require_whole(folder)
    (folder / "a.txt").unlink()
    with pytest.raises(UserError, match=r"a\.txt"):
        require_whole(folder)


def test_a_manifest_that_was_changed_is_named(folder):
    path = folder / "manifest.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"step": "x"', '"step": "y"'), encoding="utf-8")
    with pytest.raises(UserError, match=r"manifest\.json"):
        read_manifest(folder)


def test_a_folder_without_manifest_is_unfinished(tmp_path):
    with pytest.raises(UserError, match=r"no manifest\.json"):
        read_manifest(tmp_path)


def test_json_of_an_artifact_is_read_as_its_step_left_it(tmp_path):
    assert read_whole(tmp_path / "nowhere", "figures.json") is None
    (tmp_path / "figures.json").write_text('{"f1": 18}')
    assert read_whole(tmp_path, "figures.json") is None  # no step has finished it
    write_manifest(tmp_path, {"step": "x"})
    assert read_whole(tmp_path, "figures.json") == {"f1": 18} and read_whole(tmp_path, "other.json") is None
    (tmp_path / "figures.json").write_text('{"f1": 98}')
    with pytest.raises(UserError, match=r"figures\.json"):
        read_whole(tmp_path, "figures.json")
