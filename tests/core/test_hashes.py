"""Hashes of files are computed once, and again as soon as a file may have changed."""

from __future__ import annotations

import os
import time

import pytest

from distill.core import hashes
from distill.core.errors import UserError
from distill.core.files import sha256
from distill.core.hashes import HashCache


@pytest.fixture
def read(monkeypatch):
    """The files that were hashed; times count as settled at once."""
    found = []
    monkeypatch.setattr(hashes, "sha256", lambda path: found.append(path.name) or sha256(path))
    monkeypatch.setattr(hashes, "_SETTLED_NS", -1)
    return found


def test_a_file_that_stays_is_read_once_over_several_starts(tmp_path, read):
    path = tmp_path / "rows.jsonl"
    path.write_text("один")
    values = {HashCache(tmp_path / "cache.json").sha256(path) for _ in range(3)}
    assert values == {sha256(path)} and read == ["rows.jsonl"]


def test_equal_size_and_modification_time_hide_nothing(tmp_path, read):
    path = tmp_path / "rows.jsonl"
    path.write_text("1 label")
    before, stat = HashCache(tmp_path / "cache.json").sha256(path), path.stat()
    time.sleep(0.05)  # the clock of a file system may stand still for some milliseconds
    path.write_text("2 label")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert HashCache(tmp_path / "cache.json").sha256(path) != before


def test_another_file_of_equal_size_and_time_in_its_place_is_read(tmp_path, read):
    path, other = tmp_path / "rows.jsonl", tmp_path / "other.jsonl"
    path.write_text("1 label")
    other.write_text("2 label")
    for one in (path, other):
        os.utime(one, ns=(10**9, 10**9))
    before = HashCache(tmp_path / "cache.json").sha256(path)
    other.replace(path)
    assert HashCache(tmp_path / "cache.json").sha256(path) != before


def test_a_file_that_was_just_written_is_not_remembered(tmp_path, read, monkeypatch):
    monkeypatch.setattr(hashes, "_SETTLED_NS", 10**12)
    path = tmp_path / "rows.jsonl"
    path.write_text("1 label")
    for _ in range(2):
        HashCache(tmp_path / "cache.json").sha256(path)
    assert len(read) == 2


@pytest.mark.parametrize("content", ["[]", "", "{", "null", '{"x', "\x00\x01"])
def test_a_broken_cache_is_made_again(tmp_path, read, content):
    path, cache = tmp_path / "rows.jsonl", tmp_path / "cache.json"
    path.write_text("1 label")
    cache.write_text(content)
    assert HashCache(cache).sha256(path) == sha256(path)
    assert str(path) in cache.read_text()


def test_an_entry_of_another_form_is_read_again(tmp_path, read):
    path, cache = tmp_path / "rows.jsonl", tmp_path / "cache.json"
    path.write_text("1 label")
    for entry in ("null", "[1, 2]", '"x"'):
        cache.write_text(f'{{"{path}": {entry}}}')
        assert HashCache(cache).sha256(path) == sha256(path)


def test_a_cache_that_cannot_be_written_costs_time_only(tmp_path, read):
    path = tmp_path / "rows.jsonl"
    path.write_text("1 label")
    (tmp_path / "taken").write_text("a file in the place of the folder")
    assert HashCache(tmp_path / "taken" / "cache.json").sha256(path) == sha256(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.jsonl"):
        HashCache(tmp_path / "cache.json").sha256(tmp_path / "nowhere.jsonl")
