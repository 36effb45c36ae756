"""A small BERT with random weights and a WordPiece tokenizer of its own, for runs without a checkpoint."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from distill.models.mimetic_init import mimetic_init
from distill.models.quiet_transformers import quiet_transformers
from distill.models.wordpiece import SPECIAL_TOKENS, train_wordpiece

if TYPE_CHECKING:
    from tokenizers import Tokenizer

POSITIONS = 512


@dataclass(frozen=True)
class Shape:
    """The architecture of a small BERT.

    Attributes: width: hidden size H, feed-forward 4·H. vocabulary: most tokens. matching_heads: heads of each layer
        that start out attending to equal tokens, see `mimetic_init.py`.
    """

    layers: int
    width: int
    heads: int
    vocabulary: int
    matching_heads: int = 0


def make_encoder(texts: Iterable[str], folder: Path, shape: Shape, seed: int) -> None:
    """Write a Hugging Face folder: tokenizer trained on `texts`, BERT config, random weights as safetensors.

    The same arguments give the same bytes, whatever the order of `texts`; torch's global generator is left as it was.

    Args: seed: of the weights. Raises: ValueError when `heads` does not divide `width`.
    """
    import torch
    from transformers import BertConfig, BertModel

    tokenizer = train_wordpiece(texts, shape.vocabulary)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=4 * shape.width,
        max_position_embeddings=POSITIONS,
        pad_token_id=tokenizer.token_to_id("[PAD]"),
        # BERT's 0.02 fits a width of 768; narrower stacks stall with it: at width 64 and 12 layers the demo's teacher
        # stayed at 0.66 accuracy, with 0.06 it reached 0.86 in as many steps.
        initializer_range=max(0.02, 0.5 / shape.width**0.5),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = BertModel(config)
        mimetic_init(model, shape.matching_heads)
    with quiet_transformers():
        _save_tokenizer(tokenizer, folder)
        model.save_pretrained(folder)


def _save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    from transformers import PreTrainedTokenizerFast

    names = {f"{token.strip('[]').lower()}_token": token for token in SPECIAL_TOKENS}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=POSITIONS, **names).save_pretrained(folder)
