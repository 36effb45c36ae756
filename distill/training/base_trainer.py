"""What all training runs share: the config's arguments and optimiser, and going on from the last whole checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_model
from torch import nn
from transformers import PreTrainedModel, PrinterCallback, Trainer, TrainerState, TrainingArguments
from transformers import ProgressCallback as BarCallback

from distill.core.errors import UserError
from distill.core.processes import world
from distill.core.progress import note, read
from distill.models.encoder import layer_stack
from distill.training import device, resume
from distill.training.adapters import WEIGHTS, load_trained, save_trained
from distill.training.config import TrainingConfig
from distill.training.dropout import CheapDropout
from distill.training.muon import MuonAdamW
from distill.training.rates import decay, rate_factors, set_rates
from distill.training.stretch import Stretch


@dataclass(frozen=True)
class Counted:
    """A collator that tells the progress of training how many rows and tokens it has collated, in all processes."""

    collate: Callable[[Sequence[Any]], dict[str, Any]]

    def __call__(self, rows: Sequence[Any]) -> dict[str, Any]:
        """The batch, with its `attention_mask`."""
        batch = self.collate(rows)
        read(tokens=world() * int(batch["attention_mask"].sum()), rows=world() * len(rows))
        return batch


class BaseTrainer(Trainer):
    """A Trainer without the library's own printing and bars.

    Args: model: what is trained; encoder: the transformer in it, or itself. config: with a learning rate. stretch: how
        far it goes. seed: order of the rows. collate: rows to the tensors of a batch. options: the Trainer's.
    """

    def __init__(
        self,
        model: nn.Module,
        encoder: PreTrainedModel,
        config: TrainingConfig,
        stretch: Stretch,
        seed: int,
        collate: Callable[[Sequence[Any]], dict[str, Any]],
        **options: Any,
    ) -> None:
        super().__init__(model, _arguments(config, stretch, seed), data_collator=Counted(collate), **options)
        for callback in (PrinterCallback, BarCallback):
            self.remove_callback(callback)
        self._config, self._stretch = config, stretch
        self._whole, self._encoder = model, encoder

    def go_on(self) -> None:
        """Train to the end, from the last whole checkpoint where an earlier run was cut off."""
        folder = self._stretch.folder
        last = resume.last_complete(folder)
        self.accelerator.wait_for_everyone()
        for problem in resume.drop_after(folder, last) if self.args.should_save else []:
            note(f"{problem}; training goes on from {last.name if last else 'its start'}")
        if last:
            self.take_up(last)
        self.train(resume_from_checkpoint=str(last) if last else None)
        self.accelerator.wait_for_everyone()

    def take_last(self) -> None:
        """Be as after the last whole checkpoint, where an earlier run came to its end and was cut off after it."""
        last = resume.last_complete(self._stretch.folder)
        assert last is not None
        self.state = TrainerState.load_from_json(str(last / resume.STATE))
        self.restore(last)

    def take_up(self, checkpoint: Path) -> None:
        """Load what a checkpoint holds besides the Trainer's own state."""

    def restore(self, checkpoint: Path) -> None:
        """Give what is trained the weights of a checkpoint."""
        if self._config.lora is None:
            load_model(self._whole, checkpoint / WEIGHTS)
        else:
            load_trained(self._whole, checkpoint)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        if self._config.lora is None:
            super()._load_from_checkpoint(resume_from_checkpoint, model)
        else:
            load_trained(self._whole, Path(resume_from_checkpoint))

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        # What is not trained is read again from where the model starts.
        if self._config.lora is None or output_dir is None:
            super()._save(output_dir, state_dict)
        else:
            save_trained(self._whole, Path(output_dir))

    def _save_checkpoint(self, *arguments: Any) -> None:
        super()._save_checkpoint(*arguments)
        self.accelerator.wait_for_everyone()  # each of several processes writes its random state
        if self.args.should_save:
            folder, best = self._stretch.folder, self._config.checkpoint == "best"
            resume.seal(resume.of_step(self.state.global_step, folder))
            resume.rotate(folder, 2 if best else 1, self.state.best_global_step)

    def training_step(self, *arguments: Any, **options: Any) -> torch.Tensor:
        """The loss of one batch, forwards and backwards: layers that are computed again draw as they did before."""
        with CheapDropout() if self._config.cheap_dropout else nullcontext():
            loss: torch.Tensor = super().training_step(*arguments, **options)
        return loss

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """AdamW, or with Muon for the matrices of the encoder's layers; layers and head at rates of their own."""
        if self.optimizer is None and self._config.optimiser == "muon":
            layers = layer_stack(self._encoder)
            self.optimizer = MuonAdamW.of(self._whole, layers, self.args.learning_rate, self.args.weight_decay)
        optimiser: torch.optim.Optimizer = super().create_optimizer(model)
        set_rates(optimiser, rate_factors(self._whole, self._encoder, self._config), self.args.learning_rate)
        return optimiser

    def _run_epoch(self, *arguments: Any, **options: Any) -> None:
        # Resumed from its last step, which need not end an epoch, the Trainer would take one more.
        if self.state.global_step < self.state.max_steps:
            super()._run_epoch(*arguments, **options)  # type: ignore[no-untyped-call]


def rows_of_a_process(config: TrainingConfig) -> int:
    """Rows of a forward pass that each process reads: batches are as large as one process has them.

    Raises: UserError where they do not divide.
    """
    if config.batch_size % world():
        raise UserError(
            "the batch does not divide among the processes of torchrun",
            where="training.batch_size",
            found=f"{config.batch_size} rows, {world()} processes",
            do="give a multiple of their number",
        )
    return config.batch_size // world()


def _arguments(config: TrainingConfig, stretch: Stretch, seed: int) -> TrainingArguments:
    assert config.learning_rate is not None
    best = config.checkpoint == "best"
    schedule, how = decay(stretch.schedule, stretch.final_rate)
    arguments = TrainingArguments(
        output_dir=str(stretch.folder),
        num_train_epochs=config.epochs or 1,
        max_steps=stretch.steps or -1,
        per_device_train_batch_size=rows_of_a_process(config),
        gradient_accumulation_steps=config.accumulate,
        learning_rate=config.learning_rate,
        warmup_steps=stretch.warmup if stretch.warmup < 1 else int(stretch.warmup),
        lr_scheduler_type=schedule,
        lr_scheduler_kwargs=how or None,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        optim="adamw_torch_fused",
        bf16=device.resolve(config.precision) == "bf16",
        use_cpu=not torch.cuda.is_available(),
        seed=seed,
        eval_strategy="steps" if stretch.evaluate_steps else "epoch",
        eval_steps=stretch.evaluate_steps,
        save_strategy="steps" if stretch.evaluate_steps or not best else "epoch",
        save_steps=stretch.evaluate_steps if stretch.evaluate_steps and best else config.save_steps,
        metric_for_best_model="log_loss" if best else None,
        greater_is_better=False,
        logging_steps=20,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
    )
    # On each of several devices that a process sees the Trainer would put a batch of this size.
    arguments._n_gpu = min(arguments.n_gpu, 1)
    return arguments
