"""A model folder as transformers 4 reads it too: the same weights, and a config in the words of both versions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distill.core.files import Json, read_json, write_json
from distill.core.view import View
from export.tokenizer_files import write_tokenizer

_WEIGHTS = "model.safetensors"
# transformers 5 keeps ModernBERT's two kinds of layers under one key; 4 has a key for the base of each.
_BASES = {"full_attention": "global_rope_theta", "sliding_attention": "local_rope_theta"}


def write_plain_folder(model_folder: Path, folder: Path) -> None:
    """Write `folder`: the weights as a link, the view's tokenizer, and a config without what only transformers 5 knows.

    Args: model_folder: Hugging Face folder with its view.
    """
    folder.mkdir(parents=True)
    (folder / _WEIGHTS).symlink_to((model_folder / _WEIGHTS).resolve())
    write_tokenizer(View.load(model_folder), folder)
    write_json(folder / "config.json", plain_config(read_json(model_folder / "config.json")))


def plain_config(config: Mapping[str, Any]) -> Json:
    """A `config.json` of transformers 5 with the keys of transformers 4 for the same model.

    Rotary positions: 5 has `rope_parameters`, one for all layers or one for each kind of layer; 4 has `rope_theta`, the
    base, and `rope_scaling`, the rest. `dtype` is `torch_dtype` in 4 before 4.56.
    """
    found = {key: value for key, value in config.items() if key not in ("rope_parameters", "transformers_version")}
    rope = config.get("rope_parameters") or {}
    by_kind = {kind: one for kind, one in rope.items() if isinstance(one, Mapping)}
    for kind, one in by_kind.items():
        found[_BASES[kind]] = one["rope_theta"]
    if rope and not by_kind:
        scaling = {key: value for key, value in rope.items() if key != "rope_theta"}
        found["rope_theta"] = rope["rope_theta"]
        found["rope_scaling"] = None if scaling.get("rope_type") == "default" else scaling
    return found
