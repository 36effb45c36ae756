"""What is at a path that should be a file, and each file of a glob once."""

from __future__ import annotations

import os
import socket

import pytest

from distill.core.errors import UserError
from distill.core.paths import matches, require_file, require_utf8


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("folder", "a folder"),
        ("pipe", "a named pipe"),
        ("socket", "a socket"),
        ("loop", "leads back to itself"),
        ("dangling", "a link to nothing"),
        ("/dev/null", "a device"),
        ("absent", "file not found"),
        ("file/below", "file not found"),
    ],
)
def test_what_is_no_file_is_named_for_what_it_is(tmp_path, monkeypatch, name, said):
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "dangling").symlink_to(tmp_path / "gone")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("socket")
        require_file(tmp_path / "file")
        with pytest.raises(UserError, match=said):
            require_file(tmp_path / name)


def test_a_glob_reads_a_folder_once_whatever_leads_to_it(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    for name in ("x.csv", "a/x.csv", "a/b/x.csv", ".hidden/x.csv", "a/b/x.txt"):
        (tmp_path / name).write_text("1")
    for number in range(12):  # as a tree of paths, 12 links to a folder in itself have no end
        (tmp_path / "a" / f"link{number}").symlink_to(tmp_path / "a")
    found = [str(path.relative_to(tmp_path)) for path in matches(tmp_path, "**/*.csv")]
    assert found == ["a/b/x.csv", "a/x.csv", "x.csv"]
    assert matches(tmp_path, "a/**") == matches(tmp_path, "a/**/*") and matches(tmp_path, "absent/**/*.csv") == []


def test_brackets_of_the_root_are_letters(tmp_path):
    root = tmp_path / "data [1]"
    root.mkdir()
    (root / "x.csv").write_text("1")
    assert matches(root, "*.csv") == matches(root, "**/*.csv") == matches(tmp_path, f"{root.parent}/*/x.csv") != []


def test_a_name_that_is_not_utf8_is_shown(tmp_path):
    require_utf8(["каталог", ""])
    with pytest.raises(UserError, match=r"not UTF-8[\s\S]*in\\x80"):
        require_utf8([os.fsdecode(b"in\x80")])
