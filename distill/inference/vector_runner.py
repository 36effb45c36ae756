"""An encoder's mean state over the tokens of a text, run by PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from distill.core.errors import UserError
from distill.inference.collate import Batch
from distill.models.encoder import input_names, position_limit
from distill.models.encoder_config import first_line
from distill.models.quiet_transformers import quiet_transformers


class VectorRunner:
    """An encoder that gives one vector for each text, in the place of a classifier's logits.

    Args: folder: a Hugging Face model folder. threads: of PyTorch, for the whole process; None leaves them.
    Attributes: limit: most tokens that it can read; None: any number.
    Raises: UserError when the folder cannot be loaded.
    """

    def __init__(self, folder: Path, *, threads: int | None = None, device: str = "cpu") -> None:
        from transformers import AutoModel

        if threads is not None:
            torch.set_num_threads(threads)
        try:
            with quiet_transformers():
                model: Any = AutoModel.from_pretrained(
                    folder, dtype=torch.float32, use_safetensors=True, local_files_only=True, trust_remote_code=False
                )
        except Exception as error:  # transformers raises many kinds
            raise UserError("cannot load the encoder", where=str(folder), found=first_line(error)) from error
        self._names, self.limit = input_names(model), position_limit(model)
        self._model, self._device = model.eval().to(device), device

    @torch.inference_mode()
    def logits(self, batch: Batch) -> NDArray[np.float32]:
        """Vectors (B, H) of a batch (B, S): the mean of the last states over the tokens that the mask keeps."""
        inputs = {name: torch.from_numpy(batch[name]).to(self._device) for name in self._names}
        states = self._model(**inputs).last_hidden_state
        mask = torch.from_numpy(batch["attention_mask"]).to(self._device).unsqueeze(-1).to(states.dtype)
        vectors: NDArray[np.float32] = ((states * mask).sum(1) / mask.sum(1).clamp(min=1)).cpu().numpy()
        return vectors
