"""A tokenizer that counts words and signs, for figures made before a model has been chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from distill.core.errors import UserError

PATTERN = r"\w+|[^\w\s]"


def word_tokenizer() -> Any:
    """A `tokenizers.Tokenizer` with one token per word or sign and BERT's special tokens.

    A model's own tokenizer makes more tokens of the same text, as it cuts rare words into pieces.
    """
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors

    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "[CLS]": 1, "[SEP]": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(PATTERN), behavior="removed", invert=True)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 1), ("[SEP]", 2)],
    )
    return tokenizer


def tokenizer_or_words(path: Path | None) -> Any:
    """The tokenizer of a `tokenizer.json`; None: words and signs. Raises: UserError when it cannot be read."""
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(path)) if path else word_tokenizer()
    except Exception as error:  # tokenizers raises Exception itself
        raise UserError("cannot read the tokenizer", where=str(path), found=error) from None
