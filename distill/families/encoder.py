"""Transformer encoders with a classification head: teachers, students, assistants and their twins alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from distill.core.errors import UserError, unknown_name
from distill.core.files import remove, write_json
from distill.core.model_folder import START_FILE, all_evaluated, layer_count, parameter_count
from distill.core.processes import rank
from distill.core.run_folder import ENCODED
from distill.core.tokenizer_settings import write_settings
from distill.core.view import TOKENIZER_FILE, View
from distill.families.family import DEFAULT, Facts, Family, Lesson, Opening, learnt_rows, renderer
from distill.families.starting import beginning, cut, source_model
from distill.inference.backends.backend import Running, backend
from distill.inference.runner_scorer import RunnerScorer
from distill.inference.scorer import Scorer
from distill.models.config import HeadConfig
from distill.training.aims import aim_of
from distill.training.config import TrainingConfig
from distill.training.learnt_rows import LearntRows, gold_rows
from distill.training.losses.term import Term, needs_teacher, other_views, same_view
from distill.training.oversampling import oversampled

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from distill.training.encoded_store import EncodedStore
    from distill.training.examples import Example, Examples


NO_MODEL_TO_READ = "take the term out, or learn from a teacher of this run that has layers (learns_from)"
OTHER_TOKENIZER = (
    "take the term out, let the student start from a teacher with the same tokenizer (source), or compare "
    "[CLS] through a view of the teacher's (tokens: first, view)"
)


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
    def terms(self) -> dict[str, Term]:
        """The terms of the loss by name."""

    @property
    def head(self) -> HeadConfig | None:
        """A head with a hidden layer; None: the family's own."""

    @property
    def training(self) -> TrainingConfig:
        """Optimiser, schedule, end."""


class Encoder(Family):
    """A Hugging Face model folder with its tokenizer and `view.json`."""

    name = "encoder"
    together = True
    starts = True
    layered = True
    exports = True
    backends = True
    products = True
    signs = False
    reads_view = True
    runtime = "pytorch"

    def fit(self, config: Recipe, lesson: Lesson, folder: Path) -> None:
        """Fine-tune the lesson's source, or some of its layers, on gold and soft labels.

        Raises: GateFailed when the run collapses to one class; UserError when no row has a usable soft label, the
            source has too few layers, a slice has no rows, or the head cannot be folded as the objective asks.
        """
        import torch

        from distill.models.encoder import input_names
        from distill.models.head import output_layer
        from distill.models.joined_sides import reading_folder
        from distill.models.pretrained import copy_tokenizer
        from distill.training.altered_rows import Alteration
        from distill.training.distillation_loss import DistillationLoss
        from distill.training.encoded_store import EncodedStore
        from distill.training.fit import fit
        from distill.training.four_bit import four_bits
        from distill.training.run import Run

        assert lesson.source is not None
        torch.manual_seed(lesson.seed)
        reading = reading_folder(lesson.source, lesson.view_config, folder)
        view = View(lesson.view, lesson.view_config, reading / TOKENIZER_FILE)
        render, windows = view.renderer(), lesson.view_config.windows
        training = config.training
        four_bit, remarks = four_bits(training.lora)
        head = replace(lesson, space=training.objective.head(lesson.space))
        plain = partial(self.start, config, head, view)
        model = self._shaped(source_model(head, four_bit=True), config) if four_bit else plain()
        learnt = learnt_rows(lesson, folder)
        aim = aim_of(training, lesson.space, learnt, lesson.records)
        if aim.folds:
            output_layer(model)
        if training.oversample is not None:
            learnt = oversampled(learnt, training.oversample, lesson.space, lesson.seed)
        store = EncodedStore(lesson.encoded or folder / ENCODED, lesson.records, view, lesson.threads)
        teacher = _teacher(config, lesson)
        others = _teacher_views(config, lesson)
        run = Run(
            name=lesson.title,
            labels=lesson.space.labels,
            loss=DistillationLoss(tuple(config.terms.values()), aim.head, learnt.splits, aim),
            pad_id=render.pad_id,
            pool=windows.pool if windows else "mean",
            seed=lesson.seed,
            threads=lesson.threads,
            teacher=teacher,
            teacher_pad_id=next((one.renderer().pad_id for one in others.values()), 0),
            logs=lesson.logs,
            alteration=Alteration.of(training.alter, render, _exchanged(training, learnt, store, others)),
            plain=plain if four_bit else None,
            remarks=remarks,
        )
        gold, inputs = gold_rows(lesson.records, "valid"), input_names(model)
        train, valid = _examples(learnt, store, others), _examples(gold, store, {})
        fit(model, train, valid, _length(training, lesson.steps), run, folder)
        if rank():
            return
        remove(folder / ENCODED)
        write_json(folder / START_FILE, beginning(lesson, config))
        for place in (folder, *all_evaluated(folder).values()):
            if reading != place:
                copy_tokenizer(reading, place)
            bound = View(view.name, view.config, place / TOKENIZER_FILE)
            bound.save(place)
            write_settings(bound, place, inputs)

    def start(self, config: Recipe, lesson: Lesson, view: View) -> PreTrainedModel:
        """The source, or the layers of it that the config keeps; fresh weights come from torch's global generator.

        Raises: UserError when the source has fewer layers than the config keeps.
        """
        return self._shaped(source_model(lesson), config)

    def _shaped(self, model: PreTrainedModel, config: Recipe) -> PreTrainedModel:
        from distill.models.two_layer_head import set_head

        cut(model, config)
        if config.head is not None:
            set_head(model, config.head)
        return model

    def open(self, folder: Path, how: Opening = DEFAULT) -> Scorer:
        """The classifier in a backend behind its view. Raises: UserError when the folder cannot be loaded."""
        running = Running(
            how.threads, how.precision, how.device, how.rewritten, how.unpadded, how.compiled, how.exact_layers
        )
        runner = backend(how.backend).open(folder, running)
        return RunnerScorer(
            runner,
            renderer(folder, how),
            batch_tokens=how.batch_tokens,
            max_rows=how.max_rows,
            tokenisers=how.tokenisers,
        )

    def facts(self, folder: Path) -> Facts:
        """Layers by config.json, parameters by the headers of the weights."""
        return Facts(layer_count(folder), parameter_count(folder))


def _teacher(config: Recipe, lesson: Lesson) -> Path | None:
    """The model that the loss reads more of than its stored logits; None where no term does.

    Raises: UserError when there is no such model, or one with another tokenizer.
    """
    reading = [name for name, term in config.terms.items() if needs_teacher([term])]
    if not reading:
        return None
    assert lesson.source is not None
    where = f"losses of the preset {config.preset}"
    if lesson.teacher is None:
        raise UserError(
            "a loss term reads the teacher's model, and only its labels are here",
            where=where,
            found=", ".join(reading),
            do=NO_MODEL_TO_READ,
        )
    reading = [name for name, term in config.terms.items() if same_view([term])]
    if reading and (lesson.teacher / TOKENIZER_FILE).read_bytes() != (lesson.source / TOKENIZER_FILE).read_bytes():
        raise UserError(
            "a loss term reads the teacher's model, which has another tokenizer than the student",
            where=where,
            found=f"{', '.join(reading)}: {lesson.teacher} and {lesson.source}",
            do=OTHER_TOKENIZER,
        )
    return lesson.teacher


def _examples(rows: LearntRows, store: EncodedStore, others: Mapping[str, View]) -> Examples:
    """Rows encoded once for the view of the store and for each of the others."""
    from distill.training.examples import Examples

    seen = {name: replace(store, view=view).rows(rows.splits) for name, view in others.items()}
    return Examples(rows, store.rows(rows.splits), seen)


def _exchanged(
    training: TrainingConfig, learnt: LearntRows, store: EncodedStore, others: Mapping[str, View]
) -> Sequence[Example] | None:
    """The rows as `task.swap` exchanges them, encoded beside the others; None without it, or where none is read so."""
    from distill.training.altered_rows import ExchangedRows, swapped_share

    view = store.view
    if view.config.swap is None or not swapped_share(training.alter, declared=True):
        return None
    rows = _examples(
        learnt, replace(store, view=_other_way(view)), {key: _other_way(one) for key, one in others.items()}
    )
    return ExchangedRows(rows, view.config.swap.order)


def _other_way(view: View) -> View:
    """The view that reads a row's two sides exchanged."""
    return View(view.name, view.config.exchanged, view.tokenizer_path)


def _teacher_views(config: Recipe, lesson: Lesson) -> dict[str, View]:
    """The views through which the teacher reads rows for terms that name one, by name, with its own tokenizer.

    Raises: UserError for a view that is not there.
    """
    found = {}
    for name in other_views(config.terms.values()):
        if name not in lesson.teacher_views:
            raise unknown_name("view", name, lesson.teacher_views, "a loss term's view")
        assert lesson.teacher is not None
        found[name] = View(name, lesson.teacher_views[name], lesson.teacher / TOKENIZER_FILE)
    return found


def _length(training: TrainingConfig, steps: int | None) -> TrainingConfig:
    """The config, with a fixed number of steps where one is given: its best checkpoint is kept all the same."""
    if steps is None:
        return training
    return training.model_copy(update={"epochs": None, "max_steps": steps, "checkpoint": "best"})
