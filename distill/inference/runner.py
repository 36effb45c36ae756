"""What every runner offers, whatever runtime is under it."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from distill.inference.collate import Batch


class Runner(Protocol):
    """A loaded model."""

    def logits(self, batch: Batch) -> NDArray[np.float32]:
        """Logits (B, C) of a batch (B, S); non-finite values are returned as they are."""
        ...
