"""What all training runs share: the config's arguments and optimiser, and going on from the last whole checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel, PrinterCallback, Trainer, TrainingArguments
from transformers import ProgressCallback as BarCallback

from distill.models.encoder import layer_stack
from distill.training import checkpoints, precision
from distill.training.config import TrainingConfig
from distill.training.muon import MuonAdamW


class BaseTrainer(Trainer):
    """A Trainer without the library's own printing and bars.

    Args: model: what is trained; encoder: the transformer in it, or itself. config: with a learning rate. folder: of
        the run. seed: order of the rows. evaluate_steps: optimiser steps between evaluations; None: after every epoch.
        options: the Trainer's.
    """

    def __init__(
        self,
        model: nn.Module,
        encoder: PreTrainedModel,
        config: TrainingConfig,
        folder: Path,
        seed: int,
        evaluate_steps: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(model, _arguments(config, folder / checkpoints.FOLDER, seed, evaluate_steps), **options)
        for callback in (PrinterCallback, BarCallback):
            self.remove_callback(callback)
        self._muon = config.optimiser == "muon"
        self._whole, self._encoder = model, encoder

    def go_on(self) -> None:
        """Train to the end, from the last whole checkpoint where an earlier run was cut off.

        Several processes part here. One that ended while still in their group could be aborted: gloo's threads may
        free tensors when the interpreter is already gone.
        """
        last = checkpoints.last_complete(Path(str(self.args.output_dir)))
        self.train(resume_from_checkpoint=str(last) if last else None)
        self.accelerator.wait_for_everyone()
        self.accelerator.end_training()

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """AdamW, or with Muon for the matrices of the encoder's layers."""
        if self.optimizer is None and self._muon:
            layers = layer_stack(self._encoder)
            self.optimizer = MuonAdamW.of(self._whole, layers, self.args.learning_rate, self.args.weight_decay)
        optimiser: torch.optim.Optimizer = super().create_optimizer(model)
        return optimiser

    def _run_epoch(self, *arguments: Any, **options: Any) -> None:
        # Resumed from its last step, which need not end an epoch, the Trainer would take one more.
        if self.state.global_step < self.state.max_steps:
            super()._run_epoch(*arguments, **options)  # type: ignore[no-untyped-call]


def _arguments(config: TrainingConfig, folder: Path, seed: int, evaluate_steps: int | None) -> TrainingArguments:
    assert config.learning_rate is not None
    best = config.checkpoint == "best"
    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=config.epochs,
        max_steps=config.max_steps or -1,
        per_device_train_batch_size=config.batch_size,
        gradient_accumulation_steps=config.accumulate,
        learning_rate=config.learning_rate,
        warmup_steps=config.warmup if config.warmup < 1 else int(config.warmup),
        lr_scheduler_type=config.schedule,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        optim="adamw_torch_fused",
        bf16=precision.resolve(config.precision) == "bf16",
        use_cpu=not torch.cuda.is_available(),
        seed=seed,
        eval_strategy="steps" if evaluate_steps else "epoch",
        eval_steps=evaluate_steps,
        save_strategy="epoch" if best else "steps",
        save_steps=config.save_steps,
        save_total_limit=2 if best else 1,
        load_best_model_at_end=best,
        metric_for_best_model="f1_macro" if best else None,
        logging_steps=20,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
    )
