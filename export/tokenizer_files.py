"""The view's tokenizer as files that a client of its own reads."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer

from distill.core.files import Json, read_json, write_json
from distill.core.padding import pad_id
from distill.core.view import TOKENIZER_FILE, View


def write_tokenizer(view: View, folder: Path) -> None:
    """The view's tokenizer, set to cut and to pad as the view does: a client that has it alone reads the same ids.

    transformers does both where it is asked to, `tokenizer([left], [right], truncation=True, padding=True)`, and takes
    the length from `tokenizer_config.json`.
    """
    content, most = read_json(view.tokenizer_path), view.config.max_tokens
    pad = pad_id(view.tokenizer_path.parent)
    token = Tokenizer.from_file(str(view.tokenizer_path)).id_to_token(pad) or "[PAD]"
    cut = {"direction": "Right", "max_length": most, "strategy": "LongestFirst", "stride": 0}
    padding: Json = {"strategy": "BatchLongest", "direction": "Right", "pad_to_multiple_of": None}
    padding |= {"pad_id": pad, "pad_type_id": 0, "pad_token": token}
    write_json(folder / TOKENIZER_FILE, {**content, "truncation": cut, "padding": padding})
    sides = {"padding_side": "right", "truncation_side": "right", "pad_token": token}
    kind = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": most}
    write_json(folder / "tokenizer_config.json", {**kind, **sides, "clean_up_tokenization_spaces": False})
