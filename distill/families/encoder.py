"""Transformer encoders with a classification head: teachers, students, assistants and their twins alike."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from distill.core.errors import UserError
from distill.core.files import write_json
from distill.core.model_folder import START_FILE, layer_count, parameter_count
from distill.core.record_store import read_records, training_rows
from distill.core.records import Record
from distill.core.view import TOKENIZER_FILE, View
from distill.families.family import DEFAULT, Facts, Family, Lesson, Opening, renderer
from distill.families.starting import beginning, cut, source_model
from distill.inference.runner_scorer import RunnerScorer
from distill.inference.scorer import Scorer
from distill.training.config import TrainingConfig
from distill.training.joining import learnt_rows
from distill.training.losses.term import Term, needs_teacher

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from distill.training.examples import Logits


class Recipe(Protocol):
    """What an entry of the project says of an encoder's training."""

    @property
    def preset(self) -> str:
        """The preset, named in messages."""

    @property
    def layers(self) -> int | None:
        """Layers kept of the source; None: all."""

    @property
    def keep(self) -> str | list[int]:
        """Which layers are kept: the name of a rule, or their numbers."""

    @property
    def token_schedule(self) -> list[int] | None:
        """Tokens at a position of each layer; None: one, or as in the checkpoint that a teacher starts from."""

    @property
    def terms(self) -> dict[str, Term]:
        """The terms of the loss by name."""

    @property
    def training(self) -> TrainingConfig:
        """Optimiser, schedule, end."""


class Encoder(Family):
    """A Hugging Face model folder with its tokenizer and `view.json`."""

    name = "encoder"
    starts = True
    layered = True
    exports = True
    products = True
    signs = False
    runtime = "pytorch"

    def fit(self, config: Recipe, lesson: Lesson, folder: Path) -> None:
        """Fine-tune the lesson's source, or some of its layers, on gold and soft labels.

        Raises: GateFailed when the run collapses to one class; UserError when no row has a usable soft label, the
            source has too few layers, or a slice has no rows.
        """
        import torch

        from distill.models.pretrained import copy_tokenizer
        from distill.training.altered_rows import Alteration
        from distill.training.distillation_loss import DistillationLoss
        from distill.training.examples import encode_examples
        from distill.training.fit import fit
        from distill.training.run import Run

        assert lesson.source is not None
        torch.manual_seed(lesson.seed)
        view = View(lesson.view, lesson.view_config, lesson.source / TOKENIZER_FILE)
        render, windows = view.renderer(), lesson.view_config.windows
        model = self.start(config, lesson, view)
        rows, soft = _rows(lesson)
        sources = list(dict.fromkeys(source for source, _ in rows))
        run = Run(
            name=lesson.title,
            labels=lesson.space.labels,
            loss=DistillationLoss(tuple(config.terms.values()), lesson.space.objective, sources),
            pad_id=render.pad_id,
            pool=windows.pool if windows else "mean",
            seed=lesson.seed,
            threads=lesson.threads,
            teacher=_teacher(config, lesson),
            logs=lesson.logs,
            alteration=Alteration.of(config.training.alter, render),
        )
        places = [sources.index(source) for source, _ in rows]
        train = encode_examples([row for _, row in rows], render, soft, places)
        valid = encode_examples(read_records(lesson.records, "valid"), render)
        fit(model, train, valid, _length(config.training, lesson.steps), run, folder)
        write_json(folder / START_FILE, beginning(lesson, config))
        copy_tokenizer(lesson.source, folder)
        View(view.name, view.config, folder / TOKENIZER_FILE).save(folder)

    def start(self, config: Recipe, lesson: Lesson, view: View) -> PreTrainedModel:
        """The source, or the layers of it that the config keeps; fresh weights come from torch's global generator.

        Raises: UserError when the source has fewer layers than the config keeps.
        """
        model = source_model(lesson)
        cut(model, config)
        return model

    def open(self, folder: Path, how: Opening = DEFAULT) -> Scorer:
        """The classifier in PyTorch behind its view. Raises: UserError when the folder cannot be loaded."""
        from distill.inference.torch_runner import TorchRunner

        runner = TorchRunner(
            folder,
            threads=how.threads,
            precision=how.precision,
            device=how.device,
            first_token_only=how.rewritten,
        )
        return RunnerScorer(runner, renderer(folder, how), batch_tokens=how.batch_tokens, max_rows=how.max_rows)

    def facts(self, folder: Path) -> Facts:
        """Layers by config.json, parameters by the headers of the weights."""
        return Facts(layer_count(folder), parameter_count(folder))


def _rows(lesson: Lesson) -> tuple[list[tuple[str, Record]], dict[str, Logits]]:
    """(split, record) of the rows to learn from, and the soft labels by record id."""
    if not lesson.labels:
        return [("train", row) for row in training_rows(lesson.records, lesson.slices)], {}
    return learnt_rows(
        lesson.records,
        lesson.labels,
        lesson.space,
        names=lesson.splits,
        selection=lesson.selection,
        allow_missing=lesson.allow_missing,
    )


def _teacher(config: Recipe, lesson: Lesson) -> Path | None:
    """The model that the loss reads more of than its stored logits; None where no term does.

    Raises: UserError when there is no such model, or one with another tokenizer.
    """
    reading = [name for name, term in config.terms.items() if needs_teacher([term])]
    if not reading:
        return None
    assert lesson.source is not None
    where = f"students.{config.preset}.losses"
    if lesson.teacher is None:
        raise UserError(
            "a loss term reads the teacher's model, and only its labels are here",
            where=where,
            found=", ".join(reading),
            do="take the term out, or learn from a teacher of this run instead of imported labels",
        )
    if (lesson.teacher / TOKENIZER_FILE).read_bytes() != (lesson.source / TOKENIZER_FILE).read_bytes():
        raise UserError(
            "a loss term reads the teacher's model, which has another tokenizer than the student",
            where=where,
            found=f"{', '.join(reading)}: {lesson.teacher} and {lesson.source}",
            do="take the term out, or let the student start from a teacher with the same tokenizer (source)",
        )
    return lesson.teacher


def _length(training: TrainingConfig, steps: int | None) -> TrainingConfig:
    """The config, with a fixed number of steps where one is given: its best checkpoint is kept all the same."""
    if steps is None:
        return training
    return training.model_copy(update={"epochs": None, "max_steps": steps, "checkpoint": "best"})
