"""A model folder run by PyTorch."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from distill.core.errors import UserError
from distill.inference.bf16 import to_bf16
from distill.inference.collate import Batch
from distill.models.encoder import input_names, load_classifier, position_limit
from distill.models.first_token import first_token_only as compute_first_token_only

Precision = Literal["fp32", "bf16"]


class TorchRunner:
    """A classifier in PyTorch.

    Args: folder: a Hugging Face model folder. threads: of PyTorch, for the whole process; None leaves them.
        precision: `bf16` is mixed precision, logits are float32 in any case. device: `cpu`, `cuda`, `cuda:1`.
        exact_layers: how many of the last layers stay float32 under bf16. first_token_only: the exact, faster last
        layer, where the family supports it.
    Attributes: first_token_only: whether it is in use. limit: most tokens that it can read; None: any number.
        weights: how many parameters of each type there are, `float32` for instance.
    Raises: UserError when the folder cannot be loaded or the device is not there.
    """

    def __init__(
        self,
        folder: Path,
        *,
        threads: int | None = None,
        precision: Precision = "fp32",
        exact_layers: int = 0,
        device: str = "cpu",
        first_token_only: bool = True,
    ) -> None:
        _require_device(device)
        if threads is not None:
            torch.set_num_threads(threads)
        self.folder, self.device, self.precision = folder, torch.device(device), precision
        model: Any = load_classifier(folder)
        self.first_token_only = self._rewrite(model, first_token_only)
        self._names, self.limit = input_names(model), position_limit(model)
        if precision == "bf16":
            # On a processor what a last layer of one token does for all tokens takes 1% longer so, and the largest
            # change of a logit of 3,000 pairs was 0.008 instead of 0.012. A card is left out: its fp32 is far slower.
            to_bf16(model, max(exact_layers, int(self.first_token_only and self.device.type == "cpu")))
        self._model = model.to(self.device)
        self.weights: Counter[str] = Counter()
        for one in model.parameters():
            self.weights[str(one.dtype).removeprefix("torch.")] += one.numel()

    def compile(self) -> None:
        """Let torch.compile make it faster, when the first batches are read; it needs a compiler of C++."""
        self._model = torch.compile(self._model, dynamic=True)

    def _rewrite(self, model: Any, first_token_only: bool) -> bool:
        """Put faster, exact layers into a float32 model. Returns: whether the last one reads the first token alone."""
        return first_token_only and compute_first_token_only(model)

    @torch.inference_mode()
    def logits(self, batch: Batch) -> NDArray[np.float32]:
        """Logits (B, C) of a batch (B, S).

        Raises: UserError when S is more than the model has positions for.
        """
        self._require_fit(batch["input_ids"].shape[1])
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            output = self._read(batch)
        logits: NDArray[np.float32] = output.float().cpu().numpy()
        return logits

    def _read(self, batch: Batch) -> torch.Tensor:
        """Logits (B, C) on the device."""
        inputs = {name: torch.from_numpy(batch[name]).to(self.device) for name in self._names}
        logits: torch.Tensor = self._model(**inputs).logits
        return logits

    def _require_fit(self, tokens: int) -> None:
        if self.limit is not None and tokens > self.limit:
            raise UserError(
                "the input is longer than the model can read",
                where=str(self.folder),
                found=f"{tokens} tokens, at most {self.limit}",
                do="lower max_tokens of the view, or read long texts in windows",
            )


def _require_device(device: str) -> None:
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise UserError("no CUDA device", found=device, do="use device cpu, or install a CUDA build of PyTorch")
