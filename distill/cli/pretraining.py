"""`distill pretrain`: a run of its own, alone or as one of several processes started by torchrun."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from distill.cli.console import ConsoleReporter
from distill.cli.execute import run_step, versions
from distill.cli.plan.layout import Layout
from distill.cli.plan.pretraining import PRETRAINED, pretraining_steps
from distill.cli.settings import Settings
from distill.core.config import parse
from distill.core.files import read_json
from distill.core.lock import run_lock
from distill.core.progress import reporting
from distill.core.steps import Step, Steps, working_folder
from teachers.pretraining.config import PretrainConfig

_POLL_S = 0.5


def pretrain(settings: Settings, checkpoint: str | None, console: Console) -> dict[str, Any] | None:
    """Make `RUN/pretrained`; returns its loss curve, or None in the processes that only train beside the first.

    Args: checkpoint: the encoder to go on from, instead of the project file's.
    Raises: UserError for what the user gave, GateFailed when the loss is not finite in the end.
    """
    config = pretraining_of(settings, checkpoint)
    steps = pretraining_steps(Layout(settings), config)
    if int(os.environ.get("RANK", "0")):
        _join(settings.run, steps)
        return None
    _lead(settings, config, steps, console)
    curve: dict[str, Any] = read_json(settings.run / PRETRAINED / "quality.json")
    return curve


def pretraining_of(settings: Settings, checkpoint: str | None) -> PretrainConfig:
    """The `pretrain` section of a project. Raises: UserError listing every problem."""
    given = {"checkpoint": checkpoint} if checkpoint else {}
    return parse(PretrainConfig, {**settings.project.pretrain, **given}, settings.where, "pretrain")


def print_curve(curve: dict[str, Any], run: Path, console: Console) -> None:
    """What the run came to, and how to use it."""
    last = curve["curve"][-1]
    console.print(
        Text(
            f"{curve['steps']} steps on {curve['rows']} rows; of {curve['held_out']} held-out ones "
            f"{last['words_accuracy']:.1%} of hidden words and {last['belongs_accuracy']:.1%} of pairs are right"
        )
    )
    console.print(Text(f"encoder: {run / PRETRAINED} (distill … --checkpoint {run / PRETRAINED})"))


def _lead(settings: Settings, config: PretrainConfig, steps: list[Step], console: Console) -> None:
    """The only process, or the first of several: makes every artifact."""
    reporter = ConsoleReporter(console)
    with run_lock(settings.run), reporting(reporter):
        made = {**settings.as_json(), "pretrain": config.as_json()}
        runner = Steps(settings.run, made, versions(), reporter.stage_starts, reporter.stage_ends)
        for step in steps:
            run_step(runner, step)


def _join(run: Path, steps: list[Step]) -> None:
    """Another process of torchrun: waits for what the first one makes, trains beside it, waits for what it writes.

    Where the first process fails, torchrun ends this one.
    """
    runner, (*before, last) = Steps(run, {}, {}), steps
    trained = False
    while not runner.is_done(last):
        if not trained and all(map(runner.is_done, before)) and runner.is_open(last):
            last.body(working_folder(run / last.artifact))
            trained = True
        time.sleep(_POLL_S)
