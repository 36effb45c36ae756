"""`kill -9` at twenty random moments of one run: it ends with the bytes of a run that nothing disturbed."""

from __future__ import annotations

import os
import random
import signal
import time
import traceback
from importlib import import_module
from pathlib import Path

import pytest

from distill.core.artifacts import finished
from distill.core.manifest import digest
from distill.core.progress import Reporter
from distill.pipeline.seeds import execute_run
from distill.pipeline.settings import resolve_settings
from tests.pipeline.seeds_project import write_project

KILLS = 20
SMALL = ["export=[]", "controls={card_teacher: false, gold_twins: false}", "gates={retention_card: null}"]
LIBRARIES = ("distill.families.encoder", "distill.training.fit", "distill.inference.predict", "teachers.label")
SEED = "DISTILL_KILL_SEED"  # repeats the moments of a run that failed


def test_twenty_kills_at_random_moments(tmp_path, capsys):
    seed = int(os.environ.get(SEED, random.SystemRandom().randrange(10**6)))
    with capsys.disabled():
        print(f"\n{SEED}={seed}")
    for name in LIBRARIES:
        import_module(name)  # once, and not in every process that is killed
    project, chance = write_project(tmp_path), random.Random(seed)
    started = time.monotonic()
    assert run(project, tmp_path / "whole") == 0
    seconds = time.monotonic() - started
    for _ in range(KILLS):
        run(project, tmp_path / "killed", kill_after=chance.uniform(0, seconds / 6))
    assert run(project, tmp_path / "killed") == 0
    assert digests(tmp_path / "killed") == digests(tmp_path / "whole") != {}
    assert not list((tmp_path / "killed").rglob("*.partial"))


def run(project: Path, folder: Path, kill_after: float | None = None) -> int:
    """The run up to its evaluation in a process of its own, which has loaded its libraries; how that ended."""
    child = os.fork()
    if not child:
        code = 1
        try:
            execute_run(resolve_settings(project, folder, teachers=["new"], sets=SMALL), Reporter(), "evaluate")
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def digests(folder: Path) -> dict[str, str]:
    """What each artifact consists of."""
    return {str(path.relative_to(folder)): digest(path) for path, _ in finished(folder)}


pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
