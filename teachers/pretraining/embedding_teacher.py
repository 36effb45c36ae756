"""A larger encoder's sentence embeddings of the sides of a pair, for a small one to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from distill.core.leftovers import temporary_folder
from distill.core.padding import pad_id
from distill.core.view import TOKENIZER_FILE
from distill.models import pretrained
from distill.models.quiet_transformers import quiet_transformers

Sides = Sequence[Sequence[str]]
"""The left sides of a batch, then its right sides; '' where a row has none."""


class SideTokenizer:
    """Tokenises sides for the embedding teacher, cut to `max_tokens`.

    Raises: UserError as `pretrained.save_tokenizer`.
    """

    def __init__(self, encoder: Path, max_tokens: int) -> None:
        with temporary_folder() as folder:
            pretrained.save_tokenizer(encoder, folder)
            self.tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
        self.tokenizer.enable_truncation(max_tokens)
        self.tokenizer.enable_padding(pad_id=pad_id(encoder, self.tokenizer))

    def __call__(self, sides: Sides) -> dict[str, Tensor]:
        """teacher_ids, teacher_mask int64 (2B, S) and present bool (2B,): left sides first, then right ones."""
        texts = [text for side in sides for text in side]
        encoded = self.tokenizer.encode_batch(texts)
        return {
            "teacher_ids": torch.tensor([item.ids for item in encoded]),
            "teacher_mask": torch.tensor([item.attention_mask for item in encoded]),
            "present": torch.tensor([bool(text) for text in texts]),
        }


class EmbeddingTeacher:
    """A frozen encoder that gives normalised mean embeddings, as sentence encoders are trained to do.

    Raises: UserError for a folder that is no safe encoder.
    Source: Reimers & Gurevych 2019, arXiv:1908.10084, section 3 (mean pooling).
    """

    def __init__(self, encoder: Path) -> None:
        from transformers import AutoModel

        pretrained.require_safe(encoder)
        with quiet_transformers():
            model = AutoModel.from_pretrained(
                encoder, dtype=torch.float32, use_safetensors=True, local_files_only=True, trust_remote_code=False
            )
        self.model: nn.Module = model.eval()
        self.width: int = model.config.hidden_size

    @torch.no_grad()
    def embeddings(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Embeddings of texts: ids, mask int64 (N, S) to float32 (N, D), each of length 1."""
        self.model.to(ids.device)
        hidden = self.model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        return nn.functional.normalize(mean_over(hidden, mask), dim=-1)


def mean_over(hidden: Tensor, mask: Tensor) -> Tensor:
    """Mean of hidden (N, S, H) over the tokens of mask (N, S); zeros where there is none."""
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(1) / weights.sum(1).clamp(min=1)
