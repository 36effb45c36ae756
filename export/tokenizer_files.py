"""The view's tokenizer as files that a client of its own reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from distill.core.files import Json, read_json, write_json
from distill.core.tokenizer_settings import padding, write_settings
from distill.core.view import TOKENIZER_FILE, View


def write_tokenizer(view: View, folder: Path, inputs: Sequence[str] | None = None) -> None:
    """The view's tokenizer, set to cut and to pad as the view does: a client that has it alone reads the same ids.

    transformers does both where it is asked to, `tokenizer([left], [right], truncation=True, padding=True)`, and takes
    the length from `tokenizer_config.json`. Args: inputs: as in `write_settings`.
    """
    content, most = read_json(view.tokenizer_path), view.config.max_tokens
    pad, token = padding(view)
    cut = {"direction": "Right", "max_length": most, "strategy": "LongestFirst", "stride": 0}
    filled: Json = {"strategy": "BatchLongest", "direction": "Right", "pad_to_multiple_of": None}
    filled |= {"pad_id": pad, "pad_type_id": 0, "pad_token": token}
    write_json(folder / TOKENIZER_FILE, {**content, "truncation": cut, "padding": filled})
    write_settings(view, folder, inputs)
