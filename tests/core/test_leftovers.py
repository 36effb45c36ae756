"""What a killed process leaves is removed by the next one, and nothing of a process that is alive."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from distill.core.files import replacing
from distill.core.leftovers import has_ended, is_alive, own_name, remove_half_written, temporary_folder
from distill.core.lock import at_work


@pytest.fixture
def gone():
    """The number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


def test_half_written_files_of_a_dead_process_are_removed_wherever_they_are(tmp_path, gone):
    alive = tmp_path / f".run.json.{os.getppid()}.partial"
    others = [tmp_path / "notes.1.partial", tmp_path / ".x.partial"]
    dead = [tmp_path / f".run.json.{gone}.partial", tmp_path / "project" / f".pool.jsonl.{gone}.partial"]
    own = tmp_path / f".report.json.{os.getpid()}.partial"  # of a process before, which had the same number
    for path in (alive, *others, *dead, own):
        path.parent.mkdir(exist_ok=True)
        path.write_text("half")
    with at_work(tmp_path):
        assert not any(path.exists() for path in (*dead, own))
        assert all(path.exists() for path in (alive, *others))


def test_beside_a_file_only_its_own_are_removed(tmp_path, gone):
    own, other = tmp_path / f".answers.jsonl.{gone}.partial", tmp_path / f".other.jsonl.{gone}.partial"
    for path in (own, other):
        path.write_text("half")
    remove_half_written(tmp_path, "answers.jsonl")
    assert other.exists() and not own.exists()


def test_the_names_are_those_that_are_written(tmp_path):
    with replacing(tmp_path / "pool.jsonl") as partial:
        partial.write_text("half")
        remove_half_written(tmp_path)
        assert not partial.exists()
        partial.write_text("whole")


def test_libraries_leave_nothing_in_the_temporary_folder(tmp_path, monkeypatch, gone):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    mark = own_name().partition("-")[0]
    (tmp_path / f"distill-{mark}-{gone}-abc").mkdir()
    kept = [f"distill-{mark}-{os.getppid()}-abc", "distill-notes", f"distill-{gone}-abc"]
    for name in kept:
        (tmp_path / name).mkdir()
    with pytest.raises(ZeroDivisionError), temporary_folder() as folder:
        written = Path(tempfile.mkdtemp())
        child = subprocess.run(
            [sys.executable, "-c", "import tempfile; print(tempfile.mkdtemp())"], capture_output=True, text=True
        )
        assert folder in written.parents and folder in Path(child.stdout).parents
        raise ZeroDivisionError
    assert os.environ["TMPDIR"] == tempfile.gettempdir() == str(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)


@pytest.mark.parametrize("other", ["machine", "container"])
def test_a_process_elsewhere_may_be_alive_whatever_its_number(tmp_path, monkeypatch, gone, other):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(os, "getpid", lambda: gone)
    with monkeypatch.context() as elsewhere:
        if other == "machine":
            elsewhere.setattr(socket, "gethostname", lambda: "node-7")
        else:
            elsewhere.setattr(os, "readlink", lambda path: "pid:[4026532999]")
        name = own_name()
    own = own_name()
    assert has_ended(own) and not has_ended(name)
    places = [tmp_path / f"distill-{one}-abc" for one in (own, name)]
    for place in places:
        place.mkdir()
    with temporary_folder():
        assert [place.exists() for place in places] == [False, True]


def test_a_process_is_alive_or_not(gone):
    assert is_alive(os.getpid()) and is_alive(1) and not is_alive(gone) and not is_alive(10**30)
