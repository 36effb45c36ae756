"""One training run, from a model in memory to a model folder; resumes from its last whole checkpoint."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import torch
from transformers import PreTrainedModel, TrainerCallback
from transformers.integrations.integration_utils import TensorBoardCallback
from transformers.utils import logging as transformers_logging

from distill.core.errors import UserError
from distill.core.files import remove, write_json
from distill.core.model_folder import HISTORY_FILE
from distill.core.processes import rank
from distill.core.progress import note
from distill.models.encoder_config import set_outputs
from distill.models.first_token import first_token_only
from distill.models.head import fold_head
from distill.training import resume
from distill.training.adapters import FOLDER as ADAPTERS
from distill.training.adapters import Adapters, take_trained, trained
from distill.training.attention import choose_attention
from distill.training.class_shares import learnt_shares, log_loss_to_beat
from distill.training.collapse import require_finite, require_spread
from distill.training.config import TrainingConfig
from distill.training.convergence import Start, longest_start
from distill.training.dropout_rates import set_dropout, set_head_dropout
from distill.training.examples import Example, lengths
from distill.training.fit_objectives.aim import Folded
from distill.training.lengths import End, for_fixed_length, until_converged
from distill.training.losses.term import needs_teacher
from distill.training.memory import store_all, store_less
from distill.training.run import Rows, Run
from distill.training.stretch import Stretch
from distill.training.trainer import DistillTrainer, EvaluateBeforeSaving, ProgressCallback


def fit(
    model: PreTrainedModel,
    train: Sequence[Example],
    valid: Sequence[Example],
    config: TrainingConfig,
    run: Run,
    folder: Path,
) -> None:
    """Train `model` in place and save it into `folder` with `training_history.json`.

    Several processes of torchrun share the rows of each batch; the first one saves.

    `training_history.json` holds the figures of every evaluation, the step whose weights were kept, the steps taken in
    all and why the run ended (`converged`, `ceiling` or `fixed`, with a sentence and the slope of the log loss). Where
    the outputs in training are others than the task's, the head is folded into one of the task's, and `objective` says
    by which numbers.

    Raises: GateFailed when the run ends predicting one class on validation, unless it may, or with logits that are not
        finite.
    """
    config = config.for_width(model.config.hidden_size)
    if run.threads:
        torch.set_num_threads(run.threads)
    quiet_trainer()
    set_dropout(model, config.dropout)
    set_head_dropout(model, config.head_dropout)
    if config.embeddings == "frozen":
        _freeze_embeddings(model)
    rows = Rows(train, valid)
    longest = max(int(lengths(part).max(initial=0)) for part in (train, valid))
    choose_attention(model, config.precision, longest)
    adapters = None if config.lora is None else Adapters(model, config.lora)
    if config.gradient_checkpointing:
        store_less(model)
    if config.last_layer == "first_token":
        _shorten_last_layer(model, run)
    with ExitStack() as tasks:

        def trainer(stretch: Stretch, *callbacks: TrainerCallback) -> DistillTrainer:
            saving = [EvaluateBeforeSaving()] if stretch.evaluate_steps is None else []
            bar = ProgressCallback(run.name, tasks, at_most=stretch.at_most)
            curves = [tensorboard(run.logs)] if run.logs and not rank() else []
            all_callbacks = [*callbacks, *saving, bar, *curves]
            return DistillTrainer(model, config, stretch, run, rows, all_callbacks)

        fitted = until_converged if config.converges else for_fixed_length
        end = fitted(trainer, model, config, rows, _start(config, run, rows), folder)
    if end is not None:
        folded = _finish(end, model, config, run, folder)
        found = model if adapters is None else merged(model, adapters, config, run, folder)
        if folded is not None:
            fold_head(found, folded.affine.slopes, folded.affine.offsets)
            task = end.trainer.aim.task
            set_outputs(found.config, task.outputs(run.labels), task)
        save_model(found, config, folder)


def _start(config: TrainingConfig, run: Run, rows: Rows) -> Start:
    """Where the run begins: at one answer for all validation rows, the one that it learns without any texts.

    It is that of the training gold. Of a run that learns no gold it is that of validation.
    """
    target, steps = rows.gold(len(run.labels)), longest_start(config, len(rows.train))
    decisions = len(run.labels) if run.aim.task.several else 1
    if not len(target):
        return Start(math.inf, steps, decisions)
    learnt = rows.learnt_gold(len(run.labels))
    shares = learnt_shares(learnt if len(learnt) else target, run.aim.weights)
    constant = run.aim.logits(run.aim.constant(shares)[None])[0]
    return Start(log_loss_to_beat(constant, target, run.aim.task), steps, decisions)


def _freeze_embeddings(model: PreTrainedModel) -> None:
    """Leave the table of token embeddings out of training. Raises: UserError for a model without one."""
    try:
        model.get_input_embeddings().requires_grad_(False)
    except (NotImplementedError, AttributeError):
        raise UserError(
            "the model has no table of token embeddings",
            where="training.embeddings",
            found=f"frozen, model_type '{model.config.model_type}'",
            do="leave the option out",
        ) from None


def _shorten_last_layer(model: PreTrainedModel, run: Run) -> None:
    """Compute the last layer for the first token only, where neither the head nor a loss term reads another one."""
    if needs_teacher(run.loss.terms):
        note("the last layer is trained whole: a loss term reads all of its tokens")
    elif not first_token_only(model):
        note("the last layer is trained whole: this encoder's head or attention needs all of its tokens")


def _finish(end: End, model: PreTrainedModel, config: TrainingConfig, run: Run, folder: Path) -> Folded | None:
    """Check and write how the run ended; returns how the head is folded."""
    note(end.reason)
    (outputs, target), aim, rate = end.trainer.answers_of(end.step), end.trainer.aim, end.trainer.args.learning_rate
    require_finite(outputs, rate)
    folded = aim.folded(outputs, target)
    logits = folded.affine(outputs) if folded else outputs
    if len(target) and not config.may_collapse:
        require_spread(logits, target, run.labels, aim.task, rate, stopped=end.ended == "converged")
    remarks = {"remarks": list(run.remarks)} if run.remarks else {}
    told = {"objective": folded.figures} if folded else {}
    write_json(folder / HISTORY_FILE, {"split": "valid", "rows": len(target), **end.figures(), **remarks, **told})
    return folded


def merged(
    model: PreTrainedModel, adapters: Adapters, config: TrainingConfig, run: Run, folder: Path
) -> PreTrainedModel:
    """A fitted model as a plain one; its adapters are saved beside it."""
    assert config.lora is not None
    adapters.save(folder / ADAPTERS)
    if run.plain is not None:  # weights of 4 bits would be rounded a second time
        found, model = trained(model), run.plain()
        adapters = Adapters(model, config.lora)
        take_trained(model, found)
    adapters.merge()
    return model


def save_model(model: PreTrainedModel, config: TrainingConfig, folder: Path) -> None:
    """Save a fitted model."""
    model.train(False)
    if config.gradient_checkpointing:
        store_all(model)
    model.save_pretrained(folder)
    remove(folder / resume.FOLDER)


def tensorboard(logs: Path) -> TensorBoardCallback:
    """Training curves in the folder `logs`, outside every artifact: their files are named by time, host and process."""
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(log_dir=str(logs))
    return TensorBoardCallback(writer)  # type: ignore[no-untyped-call]


def quiet_trainer() -> None:
    """Keep the Trainer's own chatter and bars off the user's screen; errors still show."""
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
