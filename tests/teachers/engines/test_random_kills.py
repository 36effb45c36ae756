"""`kill -9` of workers and of the command itself, at random moments: the store of a run that nothing disturbed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from distill.core.storage import storage
from tests.s3_server import s3_server
from tests.teachers.engines.slow_words import label_run, make_slow
from tests.teachers.engines.words_teacher import contents, words_teacher

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
KILLS = int(os.environ.get("DISTILL_KILLS", "25"))  # of each case: fifty in all
SEED = "DISTILL_KILL_SEED"  # repeats the moments of a run that failed, as far as a machine repeats them
_MARK = "DISTILL_KILL_TEST"  # in the environment of all processes of one start
_PATIENCE_S = 180  # Ray's agents end with their machine's last process, but not at once


@pytest.mark.parametrize(("workers", "in_storage"), [(1, False), (2, True)], ids=["one worker", "two workers and S3"])
def test_kills_at_random_moments(workers, in_storage, tmp_path, capsys):
    pytest.importorskip("ray")
    seed = int(os.environ.get(SEED, random.SystemRandom().randrange(10**6)))
    root, run, answers = tmp_path / "words", tmp_path / "run", tmp_path / "answers"
    words, pace = words_teacher(root, pool=360, every=6), tmp_path / "pace"
    make_slow(words.teacher, answers, pace)
    pace.write_text("0")
    label_run(root, tmp_path / "whole")
    answers.write_text("")
    with s3_server() as s3:
        asked = {"engine": "ray", "workers": workers, "deaths": 1000}
        asked |= {"store": f"{s3.bucket}/run"} if in_storage else {}
        pace.write_text("1.5")
        kills, starts = killed(tmp_path, asked, random.Random(seed))
        with capsys.disabled():
            print(f"\n{SEED}={seed}: {kills} in {starts} starts, {len(answers.read_text().splitlines())} answers")
        whole = contents(tmp_path / "whole" / "labels" / "words")
        made = contents(run / "labels" / "words")
        assert {name: made[name] for name in made if name != "manifest.json"} == {
            name: whole[name] for name in whole if name != "manifest.json"
        }
        assert not list(run.rglob("*.partial"))
        if in_storage:
            (place, *others) = {name.rsplit("/", 1)[0] for name in storage(f"{s3.bucket}/run").names()}
            assert not others and {n.rsplit("/", 1)[1] for n in storage(f"{s3.bucket}/run").names()} == set(made)
        before = answers.read_text()
        label_run(root, run, **asked)
        assert answers.read_text() == before


def killed(root: Path, asked: dict, chance: random.Random) -> tuple[dict[str, int], int]:
    """Label, with so many kills on the way, and fast after them; how many of whom, and how often it was started."""
    run, pace, answers = root / "run", root / "pace", root / "answers"
    kills, starts, marks, reach = {"worker": 0, "command": 0}, 0, [], 0.0
    while True:
        marks.append(uuid4().hex)
        command = started(root / "words", run, asked, marks[-1])
        starts += 1
        while sum(kills.values()) < KILLS and command.poll() is None:
            reach = reach or first_answer(command, answers)
            if chance.random() < 0.3:
                time.sleep(chance.uniform(0, 1.5 * reach))
                command.kill()
                command.wait()
                kills["command"] += 1
            elif found := a_worker(command, marks[-1], chance):
                time.sleep(chance.uniform(0, reach / 2))
                with suppress(psutil.NoSuchProcess):
                    found.kill()
                    kills["worker"] += 1
        if sum(kills.values()) >= KILLS:
            pace.write_text("0")
        if sum(kills.values()) >= KILLS and command.poll() != -signal.SIGKILL:
            assert command.wait() == 0
            break
        assert command.wait() == -signal.SIGKILL, f"done, or failed, before all kills: {kills}"
    end = time.monotonic() + _PATIENCE_S
    while any(list(processes(mark)) for mark in marks):
        assert time.monotonic() < end, "processes of Ray have outlived the command"
        time.sleep(1)
    return kills, starts


def first_answer(command: subprocess.Popen, answers: Path) -> float:
    """Seconds that a start takes on this machine, now."""
    begun = time.monotonic()
    while not answers.read_text():
        assert command.poll() is None
        time.sleep(0.2)
    return time.monotonic() - begun


def a_worker(command: subprocess.Popen, mark: str, chance: random.Random) -> psutil.Process | None:
    """One of the workers, as soon as there is one; None where the command has ended before."""
    while command.poll() is None:
        if found := [one for one in processes(mark) if "ShardWorker" in "".join(one.cmdline())]:
            return chance.choice(found)
        time.sleep(0.5)
    return None


def started(root: Path, run: Path, asked: dict, mark: str) -> subprocess.Popen:
    """The command in a process of its own."""
    given = f"Path({str(root)!r}), Path({str(run)!r}), **{asked!r}"
    code = f"from pathlib import Path; from tests.teachers.engines.slow_words import label_run; label_run({given})"
    own = {**os.environ, _MARK: mark, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=own)


def processes(mark: str) -> list[psutil.Process]:
    """All processes of one start."""
    found = []
    for one in psutil.process_iter():
        try:
            if one.environ().get(_MARK) == mark and one.status() != psutil.STATUS_ZOMBIE:
                found.append(one)
        except psutil.Error:
            continue
    return found
