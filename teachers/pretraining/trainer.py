"""The Hugging Face Trainer over pairs: masked words, pair matching, token overlap, and an embedding teacher."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import TrainerCallback

from distill.core.processes import world
from distill.core.progress import note
from distill.training.base_trainer import BaseTrainer
from distill.training.config import TrainingConfig
from distill.training.stretch import fixed
from teachers.pretraining.batches import Draws, DrawSampler, PretrainingCollator
from teachers.pretraining.config import PretrainConfig
from teachers.pretraining.embedding_teacher import EmbeddingTeacher
from teachers.pretraining.model import PretrainingModel

_COUNTED = ("mlm", "pair_matching")
_WEIGHTED = (*_COUNTED, "token_overlap")


@dataclass(frozen=True)
class PretrainingRun:
    """What a pre-training run is told besides its model.

    Attributes: training, folder, seed: see BaseTrainer. collator, held_collator: batches of the training and of the
        held-out pairs. teacher: whose embeddings are learnt.
    """

    config: PretrainConfig
    training: TrainingConfig
    folder: Path
    seed: int
    collator: PretrainingCollator
    held_collator: PretrainingCollator
    teacher: EmbeddingTeacher | None


class PretrainTrainer(BaseTrainer):
    """A Trainer whose rows are draws of pairs."""

    def __init__(self, model: PretrainingModel, run: PretrainingRun, callbacks: list[TrainerCallback]) -> None:
        super().__init__(
            model,
            model.encoder,
            run.training,
            fixed(run.training, run.folder, run.config.evaluate_steps),
            run.seed,
            collate=run.collator,
            train_dataset=Draws(run.collator.pairs),
            eval_dataset=Draws(run.held_collator.pairs),
            callbacks=callbacks,
        )
        self.config, self.teacher = run.config, run.teacher
        self.collator, self.held_collator = run.collator, run.held_collator
        self._pretrained = model

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor | tuple[Tensor, Any]:
        """The weighted sum of a batch's terms."""
        terms = self._terms(model, inputs)
        loss = self._total(terms)
        return (loss, terms) if return_outputs else loss

    @torch.no_grad()
    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: list[str] | None = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """Loss of each term, accuracy of masked words and pair matching on the held-out pairs; logged and returned."""
        self._pretrained.train(False)
        batches = [self._terms(self._pretrained, self._prepare_inputs(batch)) for batch in self._held_batches()]
        self._pretrained.train()
        figures = held_figures(batches)
        mlm, matching = (
            f"{figures[f'{name}_loss']:.3f} ({figures[f'{name}_accuracy']:.1%} right)" for name in _COUNTED
        )
        note(f"step {self.state.global_step}: masked words {mlm}, pair matching {matching} on held-out pairs")
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in figures.items()}
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _held_batches(self) -> Iterator[dict[str, Tensor]]:
        """The held-out pairs, with the same partners and masked words every time."""
        size = self.args.eval_batch_size
        draws = list(DrawSampler(self.held_collator.pairs, size, self.config.swapped, self.args.seed))
        return (self.held_collator(draws[start : start + size]) for start in range(0, len(draws), size))

    def _terms(self, model: Any, inputs: dict[str, Any]) -> dict[str, Tensor]:
        ids, mask = inputs.pop("teacher_ids", None), inputs.pop("teacher_mask", None)
        with self.accelerator.autocast():
            embeddings = self.teacher.embeddings(ids, mask) if self.teacher else None
            terms: dict[str, Tensor] = model(**inputs, embeddings=embeddings)
        return terms

    def _total(self, terms: dict[str, Tensor]) -> Tensor:
        total = sum(getattr(self.config, name) * terms[f"{name}_loss"] for name in _WEIGHTED)
        if self.config.embedding_teacher and "hidden_loss" in terms:
            total = total + self.config.embedding_teacher.hidden * terms["hidden_loss"]
            total = total + self.config.embedding_teacher.relation * terms["relation_loss"]
        return total

    def _get_train_sampler(self, train_dataset: Any = None) -> DrawSampler:
        pairs = self.collator.pairs
        return DrawSampler(pairs, self.args.train_batch_size * world(), self.config.swapped, self.args.seed)


def held_figures(batches: list[dict[str, Tensor]]) -> dict[str, float]:
    """Means over batches, the counted terms weighted by their counts, with the share of right predictions."""
    figures = {}
    for name in _COUNTED:
        counts = torch.stack([batch[f"{name}_count"].float() for batch in batches])
        losses = torch.stack([batch[f"{name}_loss"].float() for batch in batches])
        right = torch.stack([batch[f"{name}_right"].float() for batch in batches])
        figures[f"{name}_loss"] = float((losses * counts).sum() / counts.sum().clamp(min=1))
        figures[f"{name}_accuracy"] = float(right.sum() / counts.sum().clamp(min=1))
    for name in ("token_overlap_loss", "hidden_loss", "relation_loss"):
        if name in batches[0]:
            figures[name] = float(torch.stack([batch[name].float() for batch in batches]).mean())
    return {name: round(value, 6) for name, value in figures.items()}
