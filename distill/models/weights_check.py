"""What can be seen of a loaded encoder's weights without running it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from tokenizers import Tokenizer

from distill.core.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def require_finite(model: PreTrainedModel, where: str) -> None:
    """Check that no weight is NaN or infinite. Raises: UserError naming the first tensor."""
    for name, weight in model.named_parameters():
        if torch.isfinite(weight.sum()):  # as one number is not finite, so is the sum
            continue
        bad = int((~torch.isfinite(weight)).sum())
        if bad:
            raise UserError(
                "the checkpoint has weights that are not finite",
                where=where,
                found=f"{bad} of {weight.numel()} numbers in {name}",
                do="take weights from before the training that spoilt them, or that were not cut to half precision",
            )


def require_embeddings(model: PreTrainedModel, tokenizer: Tokenizer, where: str) -> None:
    """Check that every token of the vocabulary has an embedding. Raises: UserError naming the first that has none."""
    table: torch.Tensor = model.get_input_embeddings().weight  # type: ignore[assignment]
    rows = table.shape[0]
    past = sorted((token_id, token) for token, token_id in tokenizer.get_vocab().items() if token_id >= rows)
    if past:
        token_id, token = past[0]
        raise UserError(
            "the tokenizer has tokens that the embeddings lack",
            where=where,
            found=f"vocabulary {past[-1][0] + 1}, embeddings {rows}; first id past the end {token_id}, {token!r}",
            do="take the tokens out of tokenizer.json, or give them embeddings (resize_token_embeddings)",
        )
