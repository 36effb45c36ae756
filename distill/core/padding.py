"""The padding token of a model folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from distill.core.files import read_json

_PAD_TOKENS = ("[PAD]", "<pad>", "<|pad|>", "<|padding|>")


def pad_id(folder: Path, tokenizer: Tokenizer | None = None) -> int:
    """The padding id of a model folder; 0 where it has none, for models mask it. Args: as `find_pad`."""
    config = folder / "config.json"
    return find_pad(read_json(config) if config.is_file() else {}, folder, tokenizer) or 0


def find_pad(config: Mapping[str, Any], folder: Path, tokenizer: Tokenizer | None = None) -> int | None:
    """The token that a model takes for padding, or can; None where there is none.

    That of the config comes first because models read padding off the ids: decoders look for the last token that is
    none, RoBERTa numbers positions by it. Then come the tokenizer's and, as decoders often have neither, the token that
    ends a text: it is masked, so an existing token serves and the embeddings need no new row.

    Args: config: content of the `config.json`. tokenizer: the folder's, where it is open already.
    """
    ends, rows = config.get("eos_token_id"), config.get("vocab_size")
    for found in (
        config.get("pad_token_id"),
        *_named(folder, tokenizer),
        *(ends if isinstance(ends, list) else [ends]),
    ):
        if isinstance(found, int) and found >= 0 and not (isinstance(rows, int) and found >= rows):
            return found
    return None


def _named(folder: Path, tokenizer: Tokenizer | None) -> Iterator[int | None]:
    """The tokens that the tokenizer's files name as padding, or that are named as padding tokens are."""
    path, settings = folder / "tokenizer.json", folder / "tokenizer_config.json"
    if tokenizer is None and path.is_file():
        tokenizer = Tokenizer.from_file(str(path))
    if tokenizer is None:
        return
    stored = read_json(settings) if settings.is_file() else None
    name = stored.get("pad_token") if isinstance(stored, dict) else None
    name = name.get("content") if isinstance(name, dict) else name
    for token in (name, *_PAD_TOKENS):
        yield tokenizer.token_to_id(token) if isinstance(token, str) else None
