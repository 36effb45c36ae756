"""The weights and the config of an encoder with fewer tokens."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.core.errors import UserError
from distill.core.files import Json, read_json
from distill.models.encoder_config import CONFIG, read_config

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def token_ids(folder: Path) -> list[int]:
    """The tokens that a config names by their ids: padding, first, last."""
    content: Json = read_json(folder / CONFIG)
    values = [value for name, value in content.items() if name.endswith("_token_id")]
    return [one for value in values for one in (value if isinstance(value, list) else [value]) if isinstance(one, int)]


def fixed_ids(folder: Path) -> int:
    """How many ids from 0 on must stay as they are: of encoders that number positions from the padding token on."""
    from torch import nn

    model, padding = _shape(folder), read_config(folder).pad_token_id
    tables = [one for name, one in model.named_modules() if name.endswith("position_embeddings")]
    numbered = any(isinstance(one, nn.Embedding) and one.padding_idx is not None for one in tables)
    return padding + 1 if numbered and padding is not None else 0


def trim_weights(folder: Path, kept: Sequence[int], target: Path) -> tuple[int, int]:
    """Write the weights of `folder` into `target` with the rows `kept` of its tokens; returns rows before and after.

    Gathered are the embeddings and, in a language model's head, whatever else has a row for each token; every other
    tensor is copied bit by bit.

    Raises: UserError when no weights of the embeddings are found, or they have too few rows.
    """
    import torch
    from safetensors import safe_open
    from safetensors.torch import save_file

    model = _shape(folder)
    table, inner = _embeddings(model), {name for name, _ in model.base_model.named_parameters()}
    prefix, chosen = f"{model.base_model_prefix}.", torch.tensor(list(kept))
    files = sorted(folder.glob("*.safetensors"))
    rows = _rows_of(files, table, prefix)
    if rows is None or rows <= kept[-1]:
        found = "no embeddings of its tokens" if rows is None else f"{rows} rows, token {kept[-1]}"
        raise UserError("the vocabulary cannot be trimmed", where=str(folder), found=found, do="leave vocabulary out")
    for path in files:
        made = {}
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118
                tensor, plain = file.get_tensor(name), name.removeprefix(prefix)
                outside = plain not in inner and tensor.ndim > 0 and tensor.shape[0] == rows
                made[name] = tensor[chosen].contiguous() if plain == table or outside else tensor
            metadata = file.metadata()
        save_file(made, target / path.name, metadata=metadata)
    for index in folder.glob("*.safetensors.index.json"):
        shutil.copyfile(index, target / index.name)
    return rows, len(kept)


def trimmed_config(folder: Path, kept: Sequence[int]) -> Json:
    """The `config.json` of a folder for the tokens `kept`."""
    new = {old: number for number, old in enumerate(kept)}

    def renumbered(value: Any) -> Any:
        return [new[one] for one in value if one in new] if isinstance(value, list) else new.get(value)

    content: Json = read_json(folder / CONFIG)
    ids = {name: renumbered(value) for name, value in content.items() if name.endswith("_token_id")}
    return {**content, **ids, "vocab_size": len(kept)}


def _shape(folder: Path) -> PreTrainedModel:
    """The classifier of a folder without its weights."""
    import torch
    from transformers import AutoModelForSequenceClassification

    with torch.device("meta"):
        return AutoModelForSequenceClassification.from_config(read_config(folder))


def _embeddings(model: PreTrainedModel) -> str:
    """The name of the input embeddings' weights within the encoder."""
    table: Any = model.get_input_embeddings()
    return next(name for name, weight in model.base_model.named_parameters() if weight is table.weight)


def _rows_of(files: Sequence[Path], table: str, prefix: str) -> int | None:
    from safetensors import safe_open

    for path in files:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118
                if name.removeprefix(prefix) == table:
                    return int(file.get_slice(name).get_shape()[0])
    return None
