"""Facts of a Hugging Face model folder, read without loading the model."""

from __future__ import annotations

import json
import math
from pathlib import Path

from distill.core.errors import UserError
from distill.core.files import read_json

HISTORY_FILE = "training_history.json"  # what training writes of itself, next to the weights
START_FILE = "start.json"  # what an encoder started from: its source and the layers kept of it
_EVALUATED, _STEP = "evaluated", "step-"
_WIDTH_KEYS = ("hidden_size", "dim", "d_model", "n_embd", "emb_dim")
_LAYER_KEYS = ("num_hidden_layers", "n_layers", "n_layer", "num_layers")
_HEAD_KEYS = ("num_attention_heads", "n_heads", "n_head", "num_heads")


def evaluated(folder: Path, step: int) -> Path:
    """Where a fit keeps the weights that it evaluated after so many steps, if it keeps them. Args: folder: its own."""
    return folder / _EVALUATED / f"{_STEP}{step}"


def all_evaluated(folder: Path) -> dict[int, Path]:
    """The kept weights of all evaluations of a fit, by step; none where it keeps none."""
    found = {path.name.removeprefix(_STEP): path for path in (folder / _EVALUATED).glob(f"{_STEP}*")}
    return {int(step): found[step] for step in sorted(found, key=int)}


def layer_count(folder: Path) -> int | None:
    """Layers of the encoder by its `config.json`; None for a family without layers."""
    config = read_json(folder / "config.json")
    return next((int(config[key]) for key in _LAYER_KEYS if key in config), None)


def width(folder: Path) -> int | None:
    """Width of the encoder's hidden states by its `config.json`; None for a family that does not say it."""
    config = read_json(folder / "config.json")
    return next((int(config[key]) for key in _WIDTH_KEYS if key in config), None)


def heads(folder: Path) -> int | None:
    """Attention heads of a layer by the encoder's `config.json`; None for a family that does not say it."""
    config = read_json(folder / "config.json")
    return next((int(config[key]) for key in _HEAD_KEYS if key in config), None)


def parameter_count(folder: Path) -> int:
    """Parameters in the folder's safetensors files, by their headers.

    Raises: UserError when there are none or a header is damaged.
    """
    paths = sorted(folder.glob("*.safetensors"))
    if not paths:
        raise UserError("no safetensors weights", where=str(folder))
    return sum(_parameters(path) for path in paths)


def _parameters(path: Path) -> int:
    try:
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        return sum(math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")
    except (ValueError, LookupError, TypeError, AttributeError, OSError, OverflowError, MemoryError) as error:
        raise UserError("damaged safetensors file", where=str(path), found=error) from None
