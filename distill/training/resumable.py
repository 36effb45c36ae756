"""A Hugging Face Trainer that goes on from the last whole checkpoint of its output folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import PrinterCallback, Trainer
from transformers import ProgressCallback as BarCallback

from distill.training.checkpoints import last_complete


class ResumableTrainer(Trainer):
    """A Trainer without the library's own printing and bars."""

    def go_on(self) -> None:
        """Train to the end, from the last whole checkpoint where an earlier run was cut off."""
        for callback in (PrinterCallback, BarCallback):
            self.remove_callback(callback)
        last = last_complete(Path(str(self.args.output_dir)))
        self.train(resume_from_checkpoint=str(last) if last else None)

    def _run_epoch(self, *arguments: Any, **options: Any) -> None:
        # Resumed from its last step, which need not end an epoch, the Trainer would take one more.
        if self.state.global_step < self.state.max_steps:
            super()._run_epoch(*arguments, **options)  # type: ignore[no-untyped-call]
