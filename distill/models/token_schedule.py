"""Fewer positions in the upper layers: neighbouring tokens are read as one, so that these layers cost less.

A schedule has a number for each layer, how many tokens stand at each of its positions: 1 1 2 4 reads every token in two
layers, pairs in the third, fours in the last. [CLS] keeps a position of its own, which the head reads. The state of a
position is the mean of those it is made of; padding is no part of it. Which tokens share a position depends on their
places alone, so a row's logits do not depend on its batch, and every runtime makes the same choice; a choice by the
attention that tokens receive would let float noise decide between two of them.

Source: Dai et al. 2020, "Funnel-Transformer", arXiv:2006.03236, section 2.2 (mean pooling, [CLS] apart); there the
queries alone are pooled at a change of length. Fewer and fewer positions: Goyal et al. 2020, PoWER-BERT,
arXiv:2001.08950.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from distill.core.errors import UserError
from distill.core.schedule import is_schedule
from distill.models.encoder import layer_stack
from distill.models.two_layer_head import model_type_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# Families whose layers are given hidden states and a mask, MPNet's a bias of positions too.
FAMILIES = ("bert", "roberta", "xlm-roberta", "camembert", "electra", "distilbert", "mpnet")


def stored_schedule(config: Any) -> list[int] | None:
    """The schedule in a model's config, its `distill.token_schedule`; None where there is none."""
    return (getattr(config, "distill", None) or {}).get("token_schedule")


def set_schedule(model: PreTrainedModel, schedule: Sequence[int] | None) -> None:
    """Let the layers of `model` read so many tokens at a position from now on, in place; its config says so.

    The state dict keeps its keys. None takes a schedule away.

    Args: schedule: for each layer, 1 or a multiple of the layer before's.
    Raises: UserError for a family that is not known to work so, and for a schedule that does not fit the layers.
    """
    own: dict[str, Any] = {**(getattr(model.config, "distill", None) or {})}
    own.pop("token_schedule", None)
    if schedule:
        own["token_schedule"] = list(schedule)
    if own:
        model.config.distill = own
    elif hasattr(model.config, "distill"):
        del model.config.distill
    install(model)


def install(model: PreTrainedModel) -> None:
    """Make the layers follow the schedule in the model's config, also one that has taken another's place.

    Raises: as `set_schedule`.
    """
    for module in model.modules():
        # Not by handles: a copied layer has a copy of the hook, and no handle.
        for key in [key for key, hook in module._forward_pre_hooks.items() if isinstance(hook, _Pooling)]:
            del module._forward_pre_hooks[key], module._forward_pre_hooks_with_kwargs[key]
    if (schedule := stored_schedule(model.config)) is None:
        return
    _require_fit(model, schedule)
    for layer, before, now in zip(layer_stack(model), [1, *schedule], schedule, strict=False):
        if now > 1:
            layer.register_forward_pre_hook(_Pooling(before, now), with_kwargs=True)


def require_family(model: PreTrainedModel) -> None:
    """Check that the model's layers can read several tokens as one. Raises: UserError naming the family."""
    if model_type_of(model.config) not in FAMILIES:
        raise UserError(
            "this family's layers cannot read several tokens as one",
            where="token_schedule",
            found=f"model_type '{model.config.model_type}'",
            do=f"leave token_schedule out, or start from one of {', '.join(FAMILIES)}",
        )


def _require_fit(model: PreTrainedModel, schedule: list[int]) -> None:
    require_family(model)
    depth = model.config.num_hidden_layers
    if not is_schedule(schedule) or len(schedule) != depth:
        raise UserError(
            "a token schedule has a number for each layer, 1 or a multiple of the layer before's",
            where="token_schedule",
            found=f"{schedule}, {depth} layers",
        )


class _Pooling:
    """What a layer is given, made shorter. Args: before, now: tokens at a position that comes in, and that is read."""

    def __init__(self, before: int, now: int) -> None:
        self._before, self._now = before, now

    def __call__(self, layer: nn.Module, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Hidden states (B, M, H), mask (B, 1, S, S) and a bias by positions (B, heads, S, S) as the layer reads them.

        Masks are transformers': True where attention may look, or 0 and the lowest number to be added, or None.
        """
        hidden, *rest = inputs
        named = "attention_mask" in options
        mask = options["attention_mask"] if named else rest[0] if rest else None
        if self._now != self._before:
            real = None if mask is None else _real(mask[:, 0, 0][:, _starts(hidden, self._before)])
            hidden = _pooled(hidden, real, self._now // self._before)
        starts = _starts(hidden, self._now)
        if mask is not None:
            mask = mask[:, :, :1, starts]
        biases = [_square(one, starts) for one in rest[0 if named else 1 :]]
        if named:
            return (hidden, *biases), {**options, "attention_mask": mask}
        return (hidden, *([mask] if rest else []), *biases), options


def _starts(hidden: Tensor, tokens: int) -> Tensor:
    """The first token of each position of `hidden` (B, M, H): 0, 1, 1 + tokens, …, int64 (M,)."""
    return ((torch.arange(hidden.shape[1], device=hidden.device) - 1) * tokens + 1).clamp(min=0)


def _real(mask: Tensor) -> Tensor:
    return mask if mask.dtype == torch.bool else mask >= 0


def _pooled(hidden: Tensor, real: Tensor | None, size: int) -> Tensor:
    """[CLS], then the means of `size` neighbours: (B, M, H) to (B, 1 + ⌈(M − 1) / size⌉, H). Args: real: (B, M)."""
    places = torch.arange(hidden.shape[1], device=hidden.device)
    groups = torch.arange((hidden.shape[1] + size - 2) // size + 1, device=hidden.device)
    belongs = ((places + size - 1) // size == groups[:, None]).to(hidden.dtype)
    if real is not None:
        belongs = belongs * real[:, None].to(hidden.dtype)
    return belongs @ hidden / belongs.sum(-1, keepdim=True).clamp_min(1)


def _square(given: Any, starts: Tensor) -> Any:
    """A bias by positions (B, heads, S, S) at these positions; anything else as it is."""
    if isinstance(given, Tensor) and given.ndim == 4:
        return given[:, :, starts][:, :, :, starts]
    return given
