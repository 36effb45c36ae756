"""One run at a time in a folder, whatever ends the other one."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from distill.core import lock
from distill.core.errors import UserError
from distill.core.lock import is_held, run_lock

HOLD = """
import sys, time
from pathlib import Path
from distill.core.lock import is_held, run_lock
with run_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of `tmp_path`."""
    command = [sys.executable, "-c", HOLD, tmp_path]
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_is_refused_until_the_first_is_killed(tmp_path, holder):
    for _ in range(2):
        with pytest.raises(UserError, match=rf"another command[\s\S]*process {holder.pid}\b"), run_lock(tmp_path):
            pass
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with run_lock(tmp_path):
        pass


def test_whether_it_is_held_is_told_without_holding_it(tmp_path, holder):
    assert is_held(tmp_path) and not is_held(tmp_path / "absent")
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert not is_held(tmp_path)
    with run_lock(tmp_path):
        assert is_held(tmp_path)


def test_a_look_at_it_refuses_no_run(tmp_path, monkeypatch):
    with run_lock(tmp_path):
        pass
    with (tmp_path / ".lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        monkeypatch.setattr(time, "sleep", lambda seconds: fcntl.flock(file, fcntl.LOCK_UN))
        with run_lock(tmp_path):
            pass


def test_a_folder_that_its_last_holder_removed_is_made_and_held_anew(tmp_path, monkeypatch):
    folder, real, removed = tmp_path / "folder", lock._lock, []

    def late(file):
        if not removed:
            removed.append(shutil.rmtree(folder))
        return real(file)

    monkeypatch.setattr(lock, "_lock", late)
    with run_lock(folder):
        assert is_held(folder)
        with pytest.raises(UserError, match="another command"), run_lock(folder):
            pass


def test_it_is_freed_when_the_block_ends_or_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), run_lock(tmp_path / "new"):
        raise ZeroDivisionError
    with run_lock(tmp_path / "new"), run_lock(tmp_path / "other"):
        pass


def test_a_file_in_place_of_the_folder_is_named(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(UserError, match="a file is where a folder is needed"), run_lock(tmp_path / "run"):
        pass


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_disk_without_file_locks_is_no_other_command(tmp_path, monkeypatch, number):
    def refused(file, operation):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refused)
    with pytest.raises(UserError, match="the disk has no file locks") as caught, run_lock(tmp_path):
        pass
    assert caught.value.where == str(tmp_path) and caught.value.found == os.strerror(number)
    assert caught.value.exit_code == 2 and "another command" not in str(caught.value) and not is_held(tmp_path)
