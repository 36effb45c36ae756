"""A model folder run by PyTorch without the padding of its batches."""

from __future__ import annotations

from pathlib import Path

import torch

from distill.inference.collate import Batch
from distill.inference.torch_runner import Precision, TorchRunner
from distill.models.packed import PackedClassifier


class UnpaddedRunner(TorchRunner):
    """As `TorchRunner`; see `distill.models.packed`.

    Raises: UserError as `TorchRunner`, and for a family whose layers are not BERT's.
    """

    def __init__(
        self, folder: Path, *, threads: int | None = None, precision: Precision = "fp32", device: str = "cpu"
    ) -> None:
        super().__init__(folder, threads=threads, precision=precision, device=device, first_token_only=False)
        self._packed = PackedClassifier(self._model)
        self.first_token_only = True

    def _read(self, batch: Batch) -> torch.Tensor:
        return self._packed.logits(batch["input_ids"], batch["attention_mask"], batch["token_type_ids"])
