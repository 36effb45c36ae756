"""Less memory for more time: what layers compute is not stored for the way back but computed again.

Source: Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost", arXiv:1604.06174.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transformers import PreTrainedModel

from distill.core.errors import UserError


def store_less(model: PreTrainedModel) -> None:
    """Compute layers again on the way back. Raises: UserError for a model whose layers cannot."""
    try:
        _switch(model, "enable")({"use_reentrant": False})
    except ValueError:
        raise UserError(
            "the model's layers cannot be computed again on the way back",
            where="training.gradient_checkpointing",
            found=f"model_type '{model.config.model_type}'",
            do="remove it; a smaller batch_size with accumulate needs less memory too",
        ) from None


def store_all(model: PreTrainedModel) -> None:
    """Undo `store_less`."""
    _switch(model, "disable")()


def _switch(model: PreTrainedModel, way: str) -> Callable[..., Any]:
    """Transformers' method, whose older releases have the second name alone."""
    new: Callable[..., Any] | None = getattr(model, f"activation_checkpointing_{way}", None)
    return new or getattr(model, f"gradient_checkpointing_{way}")
