"""A shallower encoder made in place from a deeper one."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import torch

from distill.core.errors import UserError
from distill.models.encoder import layer_stack
from distill.models.quiet_transformers import quiet_transformers
from distill.models.token_schedule import install, stored_schedule

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def keep_layers(model: PreTrainedModel, indices: Sequence[int]) -> None:
    """Keep only the layers at `indices`, in that order, in place; embeddings, pooler and head stay as they are.

    The config follows (`num_hidden_layers`, and `layer_types`, `attention_window` or a token schedule where layers
    differ), and so do the numbers that layers keep of themselves, so that the saved folder loads as an ordinary model
    of that depth.

    Raises: ValueError when `indices` is not an increasing choice of the model's layers. UserError when the family has
        no stack of layers, or a layer that cannot come where it would. The model is left alone then.
    """
    stack = layer_stack(model)
    depth = len(stack)
    chosen = list(indices)
    if not chosen or chosen != sorted(set(chosen)) or chosen[0] < 0 or chosen[-1] >= depth:
        raise ValueError(f"layers {chosen} are not an increasing choice from {depth} layers")
    _require_built(model, chosen)
    for index in reversed(sorted(set(range(depth)) - set(chosen))):
        del stack[index]
    _renumber(stack)
    _fix_config(model.config, chosen)
    install(model)


def shared_copy(model: PreTrainedModel) -> PreTrainedModel:
    """A copy that can be rewritten, over the same weights."""
    tensors = {id(tensor): tensor for tensor in chain(model.parameters(), model.buffers())}
    return copy.deepcopy(model, tensors)


def _require_built(model: PreTrainedModel, chosen: Sequence[int]) -> None:
    """Check that the config builds the layers with the parts that they have: others would be lost or drawn at random.

    ModernBERT's first layer has no norm before its attention, so none of the others can be the first.
    """
    config = copy.deepcopy(model.config)
    _fix_config(config, chosen)
    with torch.device("meta"), torch.random.fork_rng(devices=[]), quiet_transformers():
        built = layer_stack(type(model)(config))
    stack = layer_stack(model)
    for place, index in enumerate(chosen):
        parts, expected = ({name for name, _ in one.named_parameters()} for one in (stack[index], built[place]))
        if parts != expected:
            raise UserError(
                f"layer {index} of the encoder cannot be layer {place} of a shallower one",
                found=f"model_type '{model.config.model_type}', {min(parts ^ expected)} is in one of them alone",
                do=f"keep layer {place} where it is, or take an encoder of another family (docs/families.md)",
            )


def _renumber(stack: Any) -> None:
    for number, layer in enumerate(stack):
        for module in layer.modules():
            if isinstance(getattr(module, "layer_idx", None), int):
                module.layer_idx = number


def _fix_config(config: Any, chosen: Sequence[int]) -> None:
    for name in ("layer_types", "attention_window"):  # the latter is Longformer's
        values = getattr(config, name, None)
        if isinstance(values, list):
            setattr(config, name, [values[index] for index in chosen])
    config.num_hidden_layers = len(chosen)
    if schedule := stored_schedule(config):
        config.distill = {**config.distill, "token_schedule": [schedule[index] for index in chosen]}
