"""A tokenizer.json with fewer tokens."""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from distill.core.errors import UserError
from distill.core.files import Json, read_json
from distill.models.vocabulary.pieces import pieces

SETTINGS = "tokenizer_config.json"


def trim_tokenizer(tokenizer: Tokenizer, seen: Set[int], where: str) -> tuple[Tokenizer, list[int]]:
    """The tokenizer with the tokens `seen`, those around and between texts, special ones and those that any text needs;
    and their old ids.

    New ids are places among the old ones in their order, so that row i of the new embeddings is row `kept[i]`.

    Args: where: the tokenizer's folder, for messages.
    Raises: UserError for a kind that cannot be trimmed, and when the library reads the result otherwise than meant.
    """
    content: Json = json.loads(tokenizer.to_str())
    model = content["model"]
    kind = pieces(model["type"], where)
    added = {token["id"] for token in content["added_tokens"]}
    kept = sorted(kind.needed(model, seen | _around(content.get("post_processor"))) | added)
    new = {old: number for number, old in enumerate(kept)}
    padding = content.get("padding")
    made = Tokenizer.from_str(
        json.dumps(
            {
                **content,
                "added_tokens": [{**token, "id": new[token["id"]]} for token in content["added_tokens"]],
                "post_processor": _renumbered_processor(content.get("post_processor"), new),
                "padding": {**padding, "pad_id": new.get(padding["pad_id"], 0)} if padding else None,
                "model": kind.renumbered(model, new),
            }
        )
    )
    expected = {token: new[number] for token, number in tokenizer.get_vocab().items() if number in new}
    if made.get_vocab() != expected:
        found = "special tokens that are numbered within the others, or two tokens of one name"
        raise UserError(
            "the tokenizer's tokens cannot be renumbered", where=where, found=found, do="leave vocabulary out"
        )
    return made, kept


def trimmed_settings(folder: Path, kept: list[int]) -> Json | None:
    """The `tokenizer_config.json` of a folder for the tokens `kept`; None where there is none."""
    path = folder / SETTINGS
    if not path.is_file():
        return None
    content: Json = read_json(path)
    new = {old: number for number, old in enumerate(kept)}
    decoder = content.get("added_tokens_decoder")
    if not isinstance(decoder, dict):
        return content
    return {
        **content,
        "added_tokens_decoder": {str(new[int(old)]): one for old, one in decoder.items() if int(old) in new},
    }


def _around(processor: Mapping[str, Any] | None) -> set[int]:
    """The tokens that are put around and between texts; a template may put ordinary ones there."""
    if processor is None:
        return set()
    listed = processor.get("special_tokens", {}).values()
    inner = [_around(one) for one in processor.get("processors", [])]
    return {token for one in listed for token in one["ids"]}.union(*inner)


def _renumbered_processor(processor: Mapping[str, Any] | None, new: Mapping[int, int]) -> Any:
    """What puts special tokens around a text, with their new ids."""
    if processor is None:
        return None
    found = dict(processor)
    for name in ("sep", "cls"):  # of BertProcessing and RobertaProcessing: [token, id]
        if name in found:
            found[name] = [found[name][0], new[found[name][1]]]
    if "special_tokens" in found:  # of TemplateProcessing
        listed = found["special_tokens"].items()
        found["special_tokens"] = {name: {**one, "ids": [new[old] for old in one["ids"]]} for name, one in listed}
    if "processors" in found:
        found["processors"] = [_renumbered_processor(one, new) for one in found["processors"]]
    return found
