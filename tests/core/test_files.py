"""Files that appear whole or not at all, and disk errors that say what to do."""

from __future__ import annotations

import errno
import json
import os
import shutil

import pytest

from distill.core import files
from distill.core.errors import UserError
from distill.core.files import (
    is_half_written,
    read_json,
    remove,
    replacing,
    sha256,
    sha256_json,
    write_bytes,
    write_json,
    write_text,
)


def test_a_file_is_written_with_its_folders(tmp_path):
    write_text(tmp_path / "a" / "b" / "text.txt", "дрель")
    assert (tmp_path / "a" / "b" / "text.txt").read_bytes() == "дрель".encode()
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["text.txt"]


def test_a_block_that_fails_leaves_the_earlier_file_and_nothing_else(tmp_path):
    path = tmp_path / "text.txt"
    write_text(path, "earlier")
    with pytest.raises(ZeroDivisionError), replacing(path) as partial:
        partial.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "earlier" and list(tmp_path.iterdir()) == [path]


def test_the_name_appears_at_the_end_and_a_half_written_one_is_known(tmp_path):
    path = tmp_path / "text.txt"
    with replacing(path) as partial:
        partial.write_text("half")
        assert not path.exists() and list(tmp_path.iterdir()) == [partial] and is_half_written(partial.name)
    assert path.read_text() == "half" and not is_half_written(path.name)


@pytest.mark.parametrize(
    ("code", "advice"), [(errno.ENOSPC, "free space"), (errno.EROFS, "--out"), (errno.EIO, "check the disk")]
)
def test_a_write_that_the_system_refuses_is_a_user_error(tmp_path, monkeypatch, code, advice):
    path = tmp_path / "text.txt"
    write_text(path, "earlier")

    def refuse(*names):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(files.os, "fsync", refuse)
    with pytest.raises(UserError, match=advice) as caught:
        write_text(path, "later")
    assert os.strerror(code) in str(caught.value) and str(path) in str(caught.value)
    assert path.read_text() == "earlier" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("below", ["file", "file/sub"])
def test_a_file_in_place_of_a_folder_is_named(tmp_path, below):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="a file is where a folder is needed"):
        write_bytes(tmp_path / below / "x", b"")


def test_a_link_stays_one_and_its_file_is_replaced(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "file")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "disk" / "file").read_text() == "new"


def test_what_is_no_file_is_left_as_it_is(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(UserError, match="not a regular file"):
            write_text(path, "new")
    assert (tmp_path / "pipe").is_fifo()


def test_json_is_readable_and_refuses_what_json_has_not(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"имя": [1, None]})
    assert "имя" in path.read_text(encoding="utf-8") and read_json(path) == {"имя": [1, None]}
    with pytest.raises(ValueError):
        write_json(path, {"loss": float("nan")})
    assert read_json(path) == {"имя": [1, None]}


@pytest.mark.parametrize("data", [b"", b"[" * 100_000, b'{"a": 1', b"\xff\xfe"])
def test_a_damaged_json_file_is_named(tmp_path, data):
    path = tmp_path / "a.json"
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"not a JSON file[\s\S]*a\.json"):
        read_json(path)


def test_a_missing_json_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"not found[\s\S]*a\.json"):
        read_json(tmp_path / "a.json")


def test_hashes(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * ((1 << 20) + 1))
    write_text(tmp_path / "abc", "abc")
    assert sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256(tmp_path / "a") != sha256(tmp_path / "abc")
    assert sha256_json({"a": 1, "б": [2]}) == sha256_json(json.loads('{"б": [2], "a": 1}')) != sha256_json({"a": 1})


def test_remove_takes_files_folders_and_nothing(tmp_path):
    write_text(tmp_path / "a" / "b", "")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    remove(tmp_path / "link")
    assert (tmp_path / "a" / "b").exists()
    remove(tmp_path / "a")
    remove(tmp_path / "a")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_copied_to_a_full_disk_has_one_reason(tmp_path):
    reason = "[Errno 28] No space left on device: '/a/x' -> '/b/x'"
    error = shutil.Error([("/a/x", "/b/x", reason), ("/a/y", "/b/y", reason)])
    told = str(files.disk_error(tmp_path, error))
    assert "found: No space left on device: " in told and "free space" in told and "/b/y" not in told
