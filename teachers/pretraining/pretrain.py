"""Pre-training an encoder on a store of pairs; resumes from its last whole checkpoint."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import TrainerCallback

from distill.core.errors import GateFailed, UserError
from distill.core.files import Json, read_json, remove, sha256, write_json
from distill.core.model_folder import HISTORY_FILE
from distill.core.padding import pad_id
from distill.core.processes import rank
from distill.core.view import TOKENIZER_FILE
from distill.models import pretrained
from distill.training import resume
from distill.training.attention import choose_attention
from distill.training.dropout_rates import set_dropout
from distill.training.fit import quiet_trainer, tensorboard
from distill.training.masking import WholeWordMasker
from distill.training.trainer import ProgressCallback
from teachers.embedded import local_folder
from teachers.pretraining.batches import PretrainingCollator, renderers
from teachers.pretraining.card import WEIGHTS_FILE, write_card
from teachers.pretraining.config import EmbeddingTeacherConfig, PretrainConfig
from teachers.pretraining.embedding_teacher import EmbeddingTeacher, SideTokenizer
from teachers.pretraining.model import PretrainingModel, load, save
from teachers.pretraining.pairs import Pair, Pairs, read_pairs, read_views
from teachers.pretraining.trainer import PretrainingRun, PretrainTrainer


@dataclass(frozen=True)
class Inputs:
    """What is read and where curves go.

    Attributes: pairs: the store of pairs. start: the encoder that is trained. logs: for TensorBoard; None: no curves.
    """

    pairs: Path
    start: Path
    logs: Path | None = None


def pretrain(config: PretrainConfig, inputs: Inputs, seed: int, threads: int, folder: Path) -> None:
    """Step body: train an encoder on a store of pairs; `folder` becomes a model folder with a card.

    Under torchrun every process calls this with the same arguments; the first one writes.

    Raises: UserError for a tokenizer without a mask token. GateFailed when the loss is not finite in the end.
    """
    store, start = inputs.pairs, inputs.start
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    quiet_trainer()
    train, held = _parts(read_pairs(store), config.held_out, seed)
    teacher, sides = _embedding(config.embedding_teacher)
    model = load(start, teacher.width if teacher else None)
    training = config.training.for_width(model.encoder.config.hidden_size)
    set_dropout(model.encoder, training.dropout)
    choose_attention(model.encoder, training.precision, max(view.max_tokens for view in read_views(store).values()))
    with ExitStack() as tasks:
        batches, held_out = (_collator(config, part, store, start, sides, seed) for part in (train, held))
        run = PretrainingRun(config, training, folder, seed, batches, held_out, teacher)
        trainer = PretrainTrainer(model, run, _callbacks(inputs.logs, tasks))
        trainer.go_on()
    if trainer.is_world_process_zero():
        _finish(trainer, model, config, start, [len(train), len(held)], folder)
        parameters = sum(weight.numel() for weight in model.encoder.parameters())
        write_card(config, store, folder, parameters=parameters, seed=seed)


def _embedding(given: EmbeddingTeacherConfig | None) -> tuple[EmbeddingTeacher | None, SideTokenizer | None]:
    """The embedding teacher and its tokenizer, where there is one."""
    if given is None:
        return None, None
    folder = local_folder(given.encoder) or pretrained.resolve(given.encoder)
    return EmbeddingTeacher(folder), SideTokenizer(folder, given.max_tokens)


def _parts(pairs: Sequence[Pair], held_out: int, seed: int) -> tuple[Pairs, Pairs]:
    """Training and held-out pairs; no side of a held-out pair becomes the swapped side of a training pair."""
    chosen = np.zeros(len(pairs), bool)
    chosen[np.random.default_rng(seed).choice(len(pairs), held_out, replace=False)] = True
    parts = ([pair for pair, held in zip(pairs, chosen, strict=True) if held is flag] for flag in (np.False_, np.True_))
    train, held = (Pairs(part) for part in parts)
    return train, held


def _collator(
    config: PretrainConfig, pairs: Pairs, store: Path, start: Path, sides: SideTokenizer | None, seed: int
) -> PretrainingCollator:
    tokenizer = Tokenizer.from_file(str(start / TOKENIZER_FILE))
    try:
        masker = WholeWordMasker(tokenizer, config.masked)
    except ValueError as error:
        raise UserError(
            str(error), where=str(start / TOKENIZER_FILE), do="take an encoder trained on masked words"
        ) from None
    return PretrainingCollator(
        pairs, renderers(read_views(store), start), masker, pad_id(start, tokenizer), seed, sides
    )


def _callbacks(logs: Path | None, tasks: ExitStack) -> list[TrainerCallback]:
    """Progress and curves; only the first of several processes writes curves."""
    curves = [] if logs is None or rank() else [tensorboard(logs)]
    return [ProgressCallback("pre-training", tasks), *curves]


def _finish(
    trainer: PretrainTrainer,
    model: PretrainingModel,
    config: PretrainConfig,
    start: Path,
    rows: list[int],
    folder: Path,
) -> None:
    curve = [_point(entry) for entry in trainer.state.log_history if "eval_mlm_loss" in entry]
    step = trainer.state.global_step
    if not curve or curve[-1]["step"] < step:
        curve.append({"step": step, **_plain(trainer.evaluate())})
    if not math.isfinite(curve[-1]["mlm_loss"]):
        raise GateFailed(
            "pre-training diverged: the loss is not finite", do="lower training.learning_rate or raise warmup"
        )
    save(model, folder, half=config.half)
    pretrained.copy_tokenizer(start, folder)
    figures = {"rows": rows[0], "held_out": rows[1], "steps": step, "curve": curve}
    write_json(folder / HISTORY_FILE, {**figures, "before": _before(start)})
    remove(folder / resume.FOLDER)


def _before(start: Path) -> list[Json]:
    """The pre-training runs that made `start`, oldest first, as far as this command made it."""
    figures = read_json(start / HISTORY_FILE) if (start / HISTORY_FILE).is_file() else {}
    if "curve" not in figures:
        return []
    return [*figures.pop("before", []), {**figures, "weights": sha256(start / WEIGHTS_FILE)}]


def _point(entry: Json) -> dict[str, float]:
    return {"step": entry["step"], **_plain(entry)}


def _plain(figures: Json) -> dict[str, float]:
    return {name.removeprefix("eval_"): value for name, value in sorted(figures.items()) if name.startswith("eval_")}
