"""A model folder run by PyTorch without the padding of its batches."""

from __future__ import annotations

from typing import Any

import torch

from distill.inference.collate import Batch
from distill.inference.torch_runner import TorchRunner
from distill.models.packed import PackedClassifier


class UnpaddedRunner(TorchRunner):
    """As `TorchRunner`; see `distill.models.packed`.

    Raises: UserError as `TorchRunner`, and for a family whose layers are not BERT's.
    """

    def _rewrite(self, model: Any, first_token_only: bool) -> bool:
        self._packed = PackedClassifier(model)
        return True

    def _read(self, batch: Batch) -> torch.Tensor:
        return self._packed.logits(batch["input_ids"], batch["attention_mask"], batch["token_type_ids"])
