"""`distill pretrain`: a run of its own, alone or as one of several processes started by torchrun."""

from __future__ import annotations

from distill.core.config import parse
from distill.core.files import Json, read_json
from distill.core.lock import at_work
from distill.core.model_folder import HISTORY_FILE
from distill.core.progress import Reporter, reporting
from distill.core.project import ViewConfig
from distill.core.steps import Step, Steps
from distill.pipeline.checkpoints import try_encoders
from distill.pipeline.execute import run_step, versions
from distill.pipeline.experiment import Experiment
from distill.pipeline.settings import Settings
from distill.pipeline.steps.pretrain import PRETRAINED, pretraining_steps
from distill.pipeline.together import follow, is_follower, leading
from teachers.pretraining.collect import reading_view
from teachers.pretraining.config import PretrainConfig


def pretrain(settings: Settings, checkpoint: str | None, reporter: Reporter) -> Json | None:
    """Make `RUN/pretrained`; returns its loss curve, or None in the processes that only train along with the first.

    Args: checkpoint: the encoder to go on from, instead of the project file's.
    Raises: UserError for what the user gave, GateFailed when the loss is not finite in the end.
    """
    config = pretraining_of(settings, checkpoint)
    steps = pretraining_steps(Experiment(settings), config)
    if is_follower():
        follow(lambda run, name: next(step for step in steps if step.name == name))
        return None
    _lead(settings, config, steps, reporter)
    curve: Json = read_json(settings.run / PRETRAINED / HISTORY_FILE)
    return curve


def pretraining_of(settings: Settings, checkpoint: str | None) -> PretrainConfig:
    """The `pretrain` section of a project. Raises: UserError listing every problem."""
    given = {"checkpoint": checkpoint} if checkpoint else {}
    return parse(PretrainConfig, {**settings.project.pretrain, **given}, settings.where, "pretrain")


def _lead(settings: Settings, config: PretrainConfig, steps: list[Step], reporter: Reporter) -> None:
    """The only process, or the first of several: makes every artifact."""
    with leading() as announcer, at_work(settings.run), reporting(reporter):
        made = {**settings.as_json(), "pretrain": config.as_json()}
        told = reporter.step_starts, reporter.step_ends, announcer.begins
        runner = Steps(settings.run, made, versions(), *told)
        if not all(map(runner.is_done, steps)):
            try_encoders(_encoders(settings, config))
        for step in steps:
            run_step(runner, step)


def _encoders(settings: Settings, config: PretrainConfig) -> dict[str, tuple[str | None, dict[str, ViewConfig]]]:
    """The encoders that are started from or learned from, with what they read, by key."""
    view = reading_view(config, settings.project)
    found = {"pretrain.checkpoint": (config.checkpoint, {f"views.{config.view}": view})}
    if (teacher := config.embedding_teacher) is not None:
        side = ViewConfig(left=["text"], max_tokens=teacher.max_tokens)
        found["pretrain.embedding_teacher"] = (teacher.encoder, {"pretrain.embedding_teacher": side})
    return found
