"""The Hugging Face Trainer with our loss, our batches and our validation."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel, TrainerCallback

from distill.core.errors import UserError
from distill.core.model_folder import evaluated
from distill.core.objectives.objective import Objective
from distill.core.processes import world
from distill.core.progress import note, progress
from distill.evaluation.calibration import fit_temperature
from distill.evaluation.metrics import tally
from distill.inference import token_budget
from distill.models.projections import without_attention_dropout
from distill.training.agreed import agreed
from distill.training.altered_rows import AlteredRows
from distill.training.averaging import WeightAverage
from distill.training.base_trainer import BaseTrainer
from distill.training.config import TrainingConfig
from distill.training.dropout_rates import has_dropout
from distill.training.examples import VIEWS, Collator, LengthGroupedSampler, doubled, lengths, pool_windows
from distill.training.frozen_teacher import Batches, FrozenTeacher
from distill.training.inner_states import Reader, sizes
from distill.training.learner import learner
from distill.training.losses.term import ATTENTIONS, TWICE, Outputs, needs, needs_teacher
from distill.training.run import Rows, Run
from distill.training.stretch import Stretch

VALIDATION_TOKENS = 4096


class DistillTrainer(BaseTrainer):
    """A Trainer whose rows are Examples; windows of a row are pooled before the loss, as they are when it is scored.

    Args: model: a sequence classifier. config, stretch: see BaseTrainer. run, rows: see there. callbacks: a
        WeightAverage among them is evaluated in place of the weights.
    Raises: UserError when the run's teacher is read and cannot be loaded, or not be compared with the student, and when
        a term compares two draws of dropout of a model without any.
    """

    loss_is_scaled_for_ga = False

    def __init__(
        self,
        model: PreTrainedModel,
        config: TrainingConfig,
        stretch: Stretch,
        run: Run,
        rows: Rows,
        callbacks: Sequence[TrainerCallback] = (),
    ) -> None:
        classes = len(run.labels)
        self.aim = run.aim
        self.collator = Collator(self.aim.task.head_size(classes), classes, run.pad_id, run.teacher_pad_id)
        self._run, self._rows, self._classifier = run, rows, model
        read = needs(run.loss.terms)
        reads_teacher = needs_teacher(run.loss.terms)
        self._teacher = FrozenTeacher(_teacher_folder(run), run.loss.terms) if reads_teacher else None
        self._read, self._read_logits = Reader(model, read), Reader(model)
        self._twice = TWICE in read
        self._train = AlteredRows(rows.train, run.alteration, run.seed) if run.alteration else rows.train
        if ATTENTIONS in read:
            without_attention_dropout(model)
        if self._twice:
            _require_dropout(model, run)
        super().__init__(
            self._learner(),
            model,
            config,
            stretch,
            run.seed,
            collate=self.collator,
            train_dataset=self._train,
            eval_dataset=rows.valid,
            callbacks=list(callbacks),
        )
        self._average = next((one for one in callbacks if isinstance(one, WeightAverage)), None)
        self._answers: dict[int, tuple[NDArray[np.float32], NDArray[np.float32]]] = {}

    def _learner(self) -> nn.Module:
        """What is trained: the classifier, and what loss terms train beside it."""
        if self._teacher is None:
            return self._classifier
        ours, theirs = sizes(self._classifier), self._teacher.sizes
        terms = [term for term in self._run.loss.terms if needs_teacher([term])]
        for term in terms:
            term.check(ours, theirs)
        return learner(self._classifier, terms, ours, theirs, self._run.seed)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor | tuple[Tensor, Any]:
        """The distillation loss of one batch, its rows read twice where a term asks for it."""
        views = inputs.pop(VIEWS, {})
        if self._twice:
            inputs = doubled(inputs)
        student = self._outputs(self._read, inputs, model)
        loss = self._run.loss.at(self.state.global_step)(student, self._read_teacher(inputs, views), inputs)
        return (loss, {"logits": student.logits}) if return_outputs else loss

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: list[str] | None = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """The figures of `validation_figures`, logged and returned; none without validation rows."""
        if not len(self._rows.valid):
            return {}
        with self._average.applied() if self._average else nullcontext():
            logits, target = self.validate()
            if self._config.keep_evaluated and self.args.should_save:
                self._classifier.save_pretrained(evaluated(self._stretch.folder.parent, self.state.global_step))
        self._keep(logits, target)
        served = self.aim.logits(logits)
        figures = agreed(validation_figures(served, target, self._run.labels, self.aim.task))
        epoch, loss, accuracy, f1 = self.state.epoch or 0, *(figures[n] for n in ("log_loss", "accuracy", "f1_macro"))
        note(f"epoch {epoch:.4g}: log loss {loss:.4f}, accuracy {accuracy:.4f}, macro F1 {f1:.4f} on validation")
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in figures.items()}
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def answers_of(self, step: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """`validate` of the model with the weights of a step, unless an evaluation of this process has found it."""
        return self._answers.get(step) or self.validate()

    def _keep(self, logits: NDArray[np.float32], target: NDArray[np.float32]) -> None:
        """Remember the answers of the last evaluation, and of the best before it."""
        kept = self.state.best_global_step
        self._answers = {step: found for step, found in self._answers.items() if step == kept}
        self._answers[self.state.global_step] = (logits, target)

    def take_up(self, checkpoint: Path) -> None:
        """An average of the weights goes on too."""
        if self._average:
            self._average.load(checkpoint)

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Save the weights, after their average: a checkpoint that looks whole has both."""
        if self._average and output_dir and self.args.should_save:
            self._average.save(Path(output_dir))
        super().save_model(output_dir, _internal_call)

    @torch.inference_mode()
    def validate(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Outputs (N, K) of the head and gold (N, C), float32, of the validation rows."""
        examples, model = self._rows.valid, self._classifier
        model.train(False)
        logits = np.zeros((len(examples), self.aim.outputs), np.float32)
        for rows in token_budget.batches(lengths(examples), VALIDATION_TOKENS, 64):
            inputs = self._prepare_inputs(self.collator([examples[row] for row in rows]))
            with self.accelerator.autocast():
                logits[rows] = self._outputs(self._read_logits, inputs).logits.float().cpu().numpy()
        model.train()
        return logits, self._rows.gold(len(self._run.labels))

    def _outputs(self, read: Reader, inputs: dict[str, Any], model: Any = None) -> Outputs:
        logits, states = read(inputs, model)
        return Outputs(pool_windows(logits, inputs["owner"], self._run.pool), self._run.loss.objective, **states)

    def _read_teacher(self, inputs: dict[str, Any], views: Batches) -> Outputs:
        """The stored logits, and what loss terms read of the teacher's model, on these rows or through other views."""
        if self._teacher is None:
            return Outputs(inputs["teacher_logits"], self._run.loss.objective)
        with self.accelerator.autocast():
            return self._teacher.read(inputs, self._run.loss.objective, views)

    def _get_train_sampler(self, train_dataset: Any = None) -> LengthGroupedSampler:
        on_epoch = self._train.set_epoch if isinstance(self._train, AlteredRows) else None
        own = lengths(self._rows.train)
        return LengthGroupedSampler(own, self.args.train_batch_size * world(), self.args.seed, on_epoch)


def _teacher_folder(run: Run) -> Path:
    assert run.teacher is not None, "a loss term reads the teacher's model, and the run has none"
    return run.teacher


def _require_dropout(model: PreTrainedModel, run: Run) -> None:
    """Check that two passes over a row can differ. Raises: UserError naming the terms that compare them."""
    if has_dropout(model):
        return
    reading = [term.name() for term in run.loss.terms if TWICE in needs([term])]
    raise UserError(
        "a loss term compares two draws of dropout, and the model has none",
        where=f"losses: {', '.join(reading)}",
        found=f"model_type '{model.config.model_type}', every rate 0",
        do="set training.dropout, or take the term out",
    )


def validation_figures(
    logits: NDArray[np.float32], target: NDArray[np.float32], labels: Sequence[str], objective: Objective
) -> dict[str, float]:
    """Flat figures of one evaluation: accuracy, f1_macro, log_loss, temperature and `<label>_precision|recall|f1`.

    Log loss is that after the temperature that is fitted on the same rows, as it is served. It judges what a model has
    learned apart from how sure it is of it: fine-tuned classifiers grow overconfident while their answers still get
    better. Fits end and are kept by it, so it has six digits however small it is, as all figures have.
    Source: Berta et al. 2025, "Rethinking Early Stopping: Refine, Then Calibrate", arXiv:2501.19195.
    """
    temperature = fit_temperature(logits, target, objective) if np.isfinite(logits).all() else 1.0
    total = tally(logits / temperature, target, objective).total()
    figures = {"accuracy": total.accuracy, "f1_macro": total.f1_macro, "log_loss": total.log_loss}
    figures["temperature"] = np.asarray(temperature)
    for index, label in enumerate(labels):
        for name in ("precision", "recall", "f1"):
            figures[f"{label}_{name}"] = getattr(total, name)[index]
    return {name: float(f"{value:.6g}") for name, value in figures.items()}


class ProgressCallback(TrainerCallback):
    """Reports optimiser steps, so rate and time left can be shown.

    Args: name: shown with the progress. tasks: ends the task when it is closed, however the run ends. at_most: the run
        may end before its last step.
    """

    def __init__(self, name: str, tasks: ExitStack, *, at_most: bool = False) -> None:
        self.name, self.tasks, self.at_most = name, tasks, at_most

    def on_train_begin(self, args: Any, state: Any, control: Any, **unused: Any) -> None:
        """Start the task at the step that the run resumes from."""
        self.tasks.close()
        task = progress(self.name, state.max_steps, state.global_step, at_most=self.at_most, unit="steps")
        self._advance = self.tasks.enter_context(task)

    def on_step_end(self, args: Any, state: Any, control: Any, **unused: Any) -> None:
        """Count one optimiser step."""
        self._advance(state.global_step)


class EvaluateAtEnd(TrainerCallback):
    """Evaluates after the last step too, wherever it falls between two evaluations."""

    def on_step_end(self, args: Any, state: Any, control: Any, **unused: Any) -> None:
        """Ask for it."""
        if state.global_step >= state.max_steps:
            control.should_evaluate = True


class EvaluateBeforeSaving(TrainerCallback):
    """Puts off a checkpoint due at the end of an epoch until the epoch is evaluated, so that it holds the figures."""

    def __init__(self) -> None:
        self._due = False

    def on_step_end(self, args: Any, state: Any, control: Any, **unused: Any) -> None:
        """Take note of a checkpoint that is due on the epoch's last step."""
        if control.should_save and (control.should_training_stop or float(state.epoch).is_integer()):
            control.should_save, self._due = False, True

    def on_epoch_end(self, args: Any, state: Any, control: Any, **unused: Any) -> None:
        """Ask for it; the Trainer evaluates first."""
        if self._due:
            control.should_save, self._due = True, False
