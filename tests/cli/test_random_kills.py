"""`kill -9` at twenty random moments of one run: it ends with the bytes of a run that nothing disturbed."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

from distill.core.artifacts import finished
from distill.core.manifest import digest
from distill.core.progress import Reporter
from distill.pipeline.seeds import execute_run
from distill.pipeline.settings import resolve_settings
from tests.own_process import exit_code
from tests.pipeline.seeds_project import write_project

KILLS = 20
SMALL = ["export=[]", "controls={card_teacher: false, gold_twins: false}", "gates={retention_card: null}"]
SEED = "DISTILL_KILL_SEED"  # repeats the moments of a run that failed


def test_twenty_kills_at_random_moments(tmp_path, capsys):
    seed = int(os.environ.get(SEED, random.SystemRandom().randrange(10**6)))
    with capsys.disabled():
        print(f"\n{SEED}={seed}")
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
    """The run up to its evaluation; how its process ended."""
    return exit_code(evaluate, project, folder, kill_after=kill_after)


def evaluate(project: Path, folder: Path) -> None:
    """The run up to its evaluation, in this process."""
    execute_run(resolve_settings(project, folder, teachers=["new"], sets=SMALL), Reporter(), "evaluate")


def digests(folder: Path) -> dict[str, str]:
    """What each artifact consists of."""
    return {str(path.relative_to(folder)): digest(path) for path, _ in finished(folder)}
