"""Queries, keys and values of every layer, which transformers' models compute and do not return."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from distill.core.errors import UserError
from distill.models.encoder import layer_stack

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# Names of the three linear maps beside each other in an attention module.
_APART = (
    ("query", "key", "value"),  # BERT, RoBERTa, XLM-R, ELECTRA, CamemBERT
    ("q_lin", "k_lin", "v_lin"),  # DistilBERT
    ("q", "k", "v"),  # MPNet
    ("query_proj", "key_proj", "value_proj"),  # DeBERTa v2 and v3
    ("q_proj", "k_proj", "v_proj"),  # families written after Llama
)
# One map that gives the three, one after the other: ModernBERT, GPT-2.
_TOGETHER = ("Wqkv", "c_attn")
_DROPOUTS = ("dropout", "pos_dropout", "attn_dropout", "attention_dropout")

Triple = tuple[Tensor, Tensor, Tensor]


def attention_modules(model: PreTrainedModel) -> list[nn.Module]:
    """The module of each layer that holds its maps to queries, keys and values.

    Raises: UserError for a family whose maps are not known by their names.
    """
    found = []
    for layer in layer_stack(model):
        inside = [module for module in layer.modules() if _maps(module)]
        if len(inside) != 1:
            raise UserError(
                "a loss term reads queries, keys and values, and this family's are not known",
                found=f"model_type '{model.config.model_type}'",
                do="take the term out (hidden_states and embedding_cosine read every family), or another checkpoint",
            )
        found += inside
    return found


@contextmanager
def recorded(model: PreTrainedModel) -> Iterator[Callable[[], list[Triple]]]:
    """Inside the block, what a forward pass computes is kept; the function gives the queries, keys and values of it.

    For each layer three (W, S, H), as the linear maps give them: before rotary positions, where a family has these.
    """
    maps = [_maps(module) for module in attention_modules(model)]
    seen: dict[nn.Module, Tensor] = {}

    def keep(module: nn.Module, inputs: Any, output: Tensor) -> None:
        seen.setdefault(module, output)  # the first: DeBERTa's maps read relative positions after the text

    def triples() -> list[Triple]:
        found = [[seen[one] for one in layer] for layer in maps]
        parts = (layer[0].chunk(3, -1) if len(layer) == 1 else layer for layer in found)
        return [(queries, keys, values) for queries, keys, values in parts]

    handles = [one.register_forward_hook(keep) for layer in maps for one in layer]
    try:
        yield triples
    finally:
        for handle in handles:
            handle.remove()


def without_attention_dropout(model: PreTrainedModel) -> None:
    """Train the attention weights without dropout: the models return them after it. Raises: as `attention_modules`."""
    for module in attention_modules(model):
        for name in _DROPOUTS:
            rate = getattr(module, name, None)
            if isinstance(rate, float):
                setattr(module, name, 0.0)
            elif rate is not None:
                rate.p = 0.0


def _maps(module: nn.Module) -> list[nn.Module]:
    """The maps to queries, keys and values among a module's children; none where there are none."""
    children = dict(module.named_children())
    for names in _APART:
        if all(name in children for name in names):
            return [children[name] for name in names]
    return next(([children[name]] for name in _TOGETHER if name in children), [])
